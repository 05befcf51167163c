"""Put the release together: the model that won, its vectors, BM25, the texts, and a manifest that binds them.

Reads data/verdict.json, and writes models/release/ as a whole or not at all. The same inputs give the same bytes.
With `--home refresh` model and verdict are those of models/release/ as it is, and refresh/models/release/ is written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from argot.core import params
from argot.core.files import replacing_folder, sha256
from argot.core.parquet import read_table
from argot.core.stage import HERE, run_in_home, write_figures
from argot.encoding import ray as ray_engine
from argot.encoding.embedder import check_folder, fingerprint
from argot.encoding.store import cut, read_vectors
from argot.errors import InputError
from argot.search import bm25
from argot.search.dense import VectorIndex, in_turn, kind_for, tune
from argot.search.release import (
    CARD,
    CHUNKS,
    EMBEDDER,
    INDEX,
    LEXICAL,
    MANIFEST,
    Manifest,
    Refreshed,
    Source,
    Verdict,
    check,
    inventory,
    write_manifest,
)
from argot.tables import chunks, pairs, questions
from argot.tables.chunks import passages_of

VERDICT = Path("data/verdict.json")
MODELS = Path("models")
RELEASE = MODELS / "release"
VECTORS = Path("data/embeddings")
LIBRARIES = Path("numerics.lock")
SAMPLE = 500  # queries by which the recall of an approximate index is measured
# What made the contents of a release, by which its manifest names its origin: all but what only measures.
MEASURES = {"evaluate", "verify", "report"}
CODE = sorted(file for file in Path(__file__).parent.glob("*.py") if file.stem not in MEASURES)
SECTIONS = (
    "chunk",
    "embed",
    "fetch",
    "index",
    "ingest",
    "mine",
    "questions",
    "release",
    "synthesize",
    "train",
)
# What made a refreshed release: what its model was made by, the release tells that it came from.
REFRESHING = ("chunk", "embed", "index", "ingest")


class IndexSettings(params.Settings):
    """The section `index`."""

    kind: Literal["auto", "flat", "hnsw", "ivf_pq"]
    recall: float = Field(gt=0, le=1)
    dim: int = Field(ge=0)


@dataclass(frozen=True)
class Origin:
    """Where a release's model comes from, and what was found of it."""

    verdict: Verdict
    model: Path
    vectors: Path  # of the passages, by this model
    dim: int  # to which its vectors were cut when it was judged
    longest_question: int
    source: Source
    refreshed: Refreshed | None


def main(home: Path = HERE) -> str:
    """Write models/release/ below `home`."""
    settings = params.load("index", IndexSettings)
    machine = params.load("machine", ray_engine.EngineSettings)
    table = read_table(home / chunks.PATH, chunks.SCHEMA)
    origin = evaluated(settings.dim) if home == HERE else released(home, table["chunk"].to_pylist())
    verdict = origin.verdict
    texts = passages_of(table)
    queries = read_vectors(VECTORS / verdict.model / "pairs").values[:SAMPLE]
    vectors, queries = (
        cut(read_vectors(origin.vectors).of(texts), origin.dim),
        cut(queries, origin.dim),
    )
    check_folder(origin.model)
    with replacing_folder(home / RELEASE) as folder:
        shutil.copytree(origin.model, folder / EMBEDDER)
        kind = kind_for(len(vectors)) if settings.kind == "auto" else settings.kind
        index = VectorIndex.build(
            vectors, kind, ray_engine.each if machine.engine == "ray" else in_turn
        )
        recall = tune(index, vectors, queries, settings.recall)
        index.save(folder / INDEX)
        shutil.copytree(home / bm25.LEXICAL, folder / LEXICAL)
        shutil.copyfile(home / chunks.PATH, folder / CHUNKS)
        figures: dict[str, int | float] = {
            "passages": len(texts),
            "documents": len(table["document"].unique()),
            "dimension": index.dimension,
            "index_bytes": (folder / INDEX).stat().st_size,
        }
        figures |= {"recall@10": recall, "effort": index.effort}
        manifest = describe(folder, origin, index, figures)
        (folder / CARD).write_text(card(manifest), encoding="utf-8")
        write_manifest(folder, manifest.model_copy(update={"files": inventory(folder)}))
    write_figures("index", figures, home)
    told = (
        f"{len(texts):,} passages, {verdict.model} model ({verdict.verdict}), {verdict.mode} search"
    )
    return f"{told}; {manifest.age} → {home / RELEASE}"


def evaluated(dim: int) -> Origin:
    """The model that `evaluate` chose."""
    verdict = read_verdict(VERDICT)
    source = Source(
        code=hash_of(CODE), params=params.fingerprint(SECTIONS), libraries=versions(LIBRARIES)
    )
    vectors = VECTORS / verdict.model / "passages"
    return Origin(verdict, MODELS / verdict.model, vectors, dim, longest_question(), source, None)


def released(home: Path, ids: Sequence[str]) -> Origin:
    """The model of models/release/, for texts that may be newer."""
    known = check(RELEASE)
    before = set(read_table(RELEASE / CHUNKS, chunks.SCHEMA, ["chunk"])["chunk"].to_pylist())
    refreshed = Refreshed(
        release=sha256(RELEASE / MANIFEST),
        new=len(set(ids) - before),
        gone=len(before.difference(ids)),
    )
    code = [file for file in CODE if file.stem in REFRESHING]
    sections = params.fingerprint(REFRESHING)
    source = Source(code=hash_of(code), params=sections, libraries=versions(LIBRARIES))
    vectors = home / VECTORS / "released" / "passages"
    return Origin(
        known.verdict,
        RELEASE / EMBEDDER,
        vectors,
        known.dim,
        known.longest_question,
        source,
        refreshed,
    )


def read_verdict(path: Path) -> Verdict:
    """The verdict that `evaluate` reached; InputError if it is missing or isn't one."""
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {key}: {first['msg']}; run `dvc repro evaluate`") from None


def describe(
    folder: Path, origin: Origin, index: VectorIndex, figures: Mapping[str, int | float]
) -> Manifest:
    """The manifest of a release, its files' hashes apart."""
    return Manifest(
        format=1,
        verdict=origin.verdict,
        fingerprint=fingerprint(folder / EMBEDDER),
        prompts=prompts(folder / EMBEDDER),
        dimension=index.dimension,
        dim=origin.dim,
        metric="inner_product",
        kind=index.kind,
        passages=len(index),
        longest_question=origin.longest_question,
        figures=dict(figures),
        source=origin.source,
        refreshed=origin.refreshed,
        files={},
    )


def longest_question() -> int:
    """Words of the longest test question, real or synthetic: what is far longer was never tested."""
    tables = (
        read_table(module.PATHS["test"], module.SCHEMA, ["query"]) for module in (questions, pairs)
    )
    return max(
        (len(query.split()) for table in tables for query in table["query"].to_pylist()), default=0
    )


def prompts(embedder: Path) -> dict[str, str]:
    """The prompts that the model's own configuration asks for, by name."""
    path = embedder / "config_sentence_transformers.json"
    if not path.exists():
        return {}
    return dict(json.loads(path.read_text(encoding="utf-8")).get("prompts") or {})


def hash_of(files: Sequence[Path]) -> str:
    """The SHA-256 over names and bytes of files."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def versions(lock: Path) -> dict[str, str]:
    """The libraries that decide numbers, out of lines such as numpy==2.4.6."""
    lines = lock.read_text(encoding="utf-8").split()
    return dict(line.split("==", 1) for line in lines)


def card(manifest: Manifest) -> str:
    """The release's README.md: what it is, what it was found to be worth, and how to use it."""
    verdict, why = manifest.verdict, WHY[manifest.verdict.verdict]
    rows = [
        (
            "Model",
            f"{verdict.model}, {manifest.dimension} dimensions, fingerprint `{manifest.fingerprint[:16]}`",
        ),
        ("Verdict", f"{verdict.verdict}: {why}"),
        (
            "Search",
            f"{verdict.mode}; fusion {verdict.fusion.method}, {verdict.fusion.weight:.2f} of it dense",
        ),
        (
            "Passages",
            f"{manifest.passages:,} of {manifest.figures['documents']:,} documents; {manifest.age}",
        ),
        ("Index", f"FAISS, {manifest.kind}, inner product of vectors of length 1"),
        ("Code", f"`{manifest.source.code[:16]}`, params `{manifest.source.params[:16]}`"),
    ]
    return CARD_TEXT.format(rows="\n".join(f"| {name} | {value} |" for name, value in rows))


WHY = {
    "tuned": "fine-tuning was proven to help on real questions",
    "base": "fine-tuning was not proven to help, so the base model ships",
    "unproven": "too few real questions to prove anything",
}
CARD_TEXT = """# A retriever for one team's own language

Made by Argot: embedder, index, BM25 and texts of one version, in one folder.

| | |
| --- | --- |
{rows}

```sh
argot search "your question" --release .
argot verify --release .
```

```python
from argot import Retriever

retriever = Retriever.load("models/release")
retriever.search("your question", k=5)
```

`manifest.json` holds the hash of every file; a folder that differs from it is refused. Nothing in it can run code.
The texts in `chunks.parquet` are the team's own documents: share the folder as you would share those.
"""

if __name__ == "__main__":
    run_in_home("index", main)
