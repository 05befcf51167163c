"""Put the release together: the model that ships, its vectors, BM25, the texts, and a manifest.

Reads data/verdict.json, and writes models/release/ as a whole or not at all. The same inputs give
the same bytes. With `--home refresh`, the model and the verdict are those of models/release/, and
refresh/models/release/ is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from argot.core import params
from argot.core.files import replacing_folder, sha256
from argot.core.stage import HERE, read_versions, run_in_home, write_figures
from argot.encoding import ray as ray_engine
from argot.encoding.embedder import check_folder, configured_prompts, fingerprint
from argot.encoding.fast.precision import Encoding, Precision
from argot.encoding.store.encoded import tokens_of
from argot.encoding.store.vectors import cut, read_vectors
from argot.errors import InputError
from argot.ranking.bm25 import LEXICAL, Bm25
from argot.ranking.dense import Dense
from argot.ranking.fusion import Verdict
from argot.ranking.tokens import ByToken, TokenIndex
from argot.report.card import model_card
from argot.search.index import VectorIndex, in_turn, kind_for, tune
from argot.search.release import (
    CARD,
    CHUNKS,
    EMBEDDER,
    FORMAT,
    MANIFEST,
    RIGHTS,
    Manifest,
    Refreshed,
    check,
    inventory,
    write_manifest,
)
from argot.search.rights import groups_of
from argot.tables import chunks
from argot.tables.chunks import Corpus, read_metadata

VERDICT = Path("data/verdict.json")
MODELS = Path("models")
RELEASE = MODELS / "release"
VECTORS = Path("data/embeddings")
# The recall of an approximate index is measured with this many queries.
SAMPLE = 500


class IndexSettings(params.Settings):
    """The section `index`."""

    kind: Literal["auto", "flat", "hnsw", "ivf_pq"]
    recall: float = Field(gt=0, le=1)
    dim: int = Field(ge=0)
    groups: bool
    tokens: Literal["auto", "on", "off"]  # `embed` follows it
    url: str = Field(pattern=r"^(https?://\S+)?$")


@dataclass(frozen=True)
class Origin:
    """Where a release's model comes from, and how it was judged."""

    verdict: Verdict
    model: Path
    vectors: Path  # the passages' vectors by this model
    dim: int  # the vectors were cut to so many dimensions when the model was judged; 0 keeps all
    refreshed: Refreshed | None


def main(home: Path = HERE) -> str:
    """Write models/release/ below `home`."""
    settings = params.load("index", IndexSettings)
    precision = params.load("embed", Encoding).precision
    machine = params.load("machine", ray_engine.EngineSettings)
    corpus = Corpus(home / chunks.PATH)
    # 1. The model, and the passages' vectors as they were judged.
    origin = evaluated(settings.dim) if home == HERE else released(home, corpus.ids)
    hidden = without_groups(corpus)  # reads all metadata, so that damaged ones are found here
    unseen = hidden if settings.groups else []
    verdict = origin.verdict
    vectors = cut(read_vectors(origin.vectors).of(corpus.passages), origin.dim)
    sample = cut(read_vectors(VECTORS / verdict.model / "pairs").values[:SAMPLE], origin.dim)
    kind = kind_for(len(vectors)) if settings.kind == "auto" else settings.kind
    check_folder(origin.model)
    Bm25.load(home / LEXICAL)  # a damaged one is refused before it becomes part of a release
    # 2. Everything is written into a folder beside the release, which then takes its place.
    with replacing_folder(home / RELEASE) as folder:
        shutil.copytree(origin.model, folder / EMBEDDER)
        shutil.copyfile(home / chunks.PATH, folder / CHUNKS)
        shutil.copytree(home / LEXICAL, folder / Bm25.part)
        map_shards = ray_engine.each if machine.engine == "ray" else in_turn
        index = VectorIndex.build(vectors, kind, map_shards)
        recall = tune(index, vectors, sample, settings.recall)
        index.save(folder / Dense.part)
        if verdict.fusion.by_token:
            tokens = tokens_of(origin.vectors).of(corpus.passages)
            TokenIndex.build(tokens).save(folder / ByToken.part)
        figures: dict[str, int | float] = {
            "passages": len(corpus.passages),
            "documents": len(set(corpus.documents)),
            "dimension": index.dimension,
            "index_bytes": (folder / Dense.part).stat().st_size,
            "recall@10": recall,
            "effort": index.effort,
        }
        if verdict.fusion.by_token:
            parts = (folder / ByToken.part).iterdir()
            figures["token_bytes"] = sum(path.stat().st_size for path in parts)
        if settings.groups:
            figures["unseen"] = len(unseen)
        # 3. The manifest is the last file, because it holds the hashes of all others.
        manifest = describe(folder, origin, index, figures, settings, precision)
        (folder / CARD).write_text(model_card(manifest), encoding="utf-8")
        write_manifest(folder, manifest.model_copy(update={"files": inventory(folder)}))
    write_figures("index", figures, home)
    ships = f"{verdict.model} model ({verdict.verdict}), {verdict.mode} search"
    nobody = f"; nobody sees {len(unseen):,} without groups ({unseen[0]}, …)" if unseen else ""
    passages = f"{len(corpus.passages):,} passages{nobody}"
    return f"{passages}, {ships}; {manifest.age} → {home / RELEASE}"


def without_groups(corpus: Corpus) -> list[str]:
    """The document of each passage that no group may see."""
    table = corpus.table(["document", "metadata"])
    rows = zip(table["document"].to_pylist(), table["metadata"].to_pylist(), strict=True)
    read = ((document, read_metadata(metadata, document)) for document, metadata in rows)
    return [document for document, metadata in read if not groups_of(metadata)]


def evaluated(dim: int) -> Origin:
    """The model that `evaluate` chose."""
    verdict = read_verdict(VERDICT)
    vectors = VECTORS / verdict.model / "passages"
    return Origin(verdict, MODELS / verdict.model, vectors, dim, refreshed=None)


def released(home: Path, ids: Sequence[str]) -> Origin:
    """The model of models/release/, for texts that may be newer."""
    known = check(RELEASE)
    before = set(Corpus(RELEASE / CHUNKS).ids)
    refreshed = Refreshed(
        release=sha256(RELEASE / MANIFEST),
        new=len(set(ids) - before),
        gone=len(before.difference(ids)),
    )
    vectors = home / VECTORS / "released" / "passages"
    return Origin(known.verdict, RELEASE / EMBEDDER, vectors, known.dim, refreshed)


def read_verdict(path: Path) -> Verdict:
    """The verdict that `evaluate` reached; InputError if it is missing or isn't one."""
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; remove it and run `dvc repro`") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {key}: {first['msg']}; run `dvc repro evaluate`") from None


def describe(
    folder: Path,
    origin: Origin,
    index: VectorIndex,
    figures: Mapping[str, int | float],
    settings: IndexSettings,
    precision: Precision,
) -> Manifest:
    """The manifest of a release, without its files' hashes."""
    return Manifest(
        format=RIGHTS if settings.groups else FORMAT,
        verdict=origin.verdict,
        rankers=rankers_of(origin.verdict),
        fingerprint=fingerprint(folder / EMBEDDER),
        prompts=configured_prompts(folder / EMBEDDER),
        dimension=index.dimension,
        dim=origin.dim,
        metric="inner_product",
        kind=index.kind,
        passages=len(index),
        figures=dict(figures),
        libraries=read_versions(),
        precision=precision,
        url=settings.url,
        refreshed=origin.refreshed,
        files={},
    )


def rankers_of(verdict: Verdict) -> dict[str, str]:
    """The release's rankers and their parts; tokens only where the release is searched by them."""
    rankers = {ranker.name: ranker.part for ranker in (Bm25, Dense)}
    return {**rankers, ByToken.name: ByToken.part} if verdict.fusion.by_token else rankers


if __name__ == "__main__":
    run_in_home("index", main)
