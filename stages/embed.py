"""Embed one set of texts by one model: data/embeddings/MODEL/TEXTS/.

    python -m stages.embed base|tuned|released passages|pairs|questions [--home FOLDER]

Each distinct text has one vector, found again by the text itself. A vector is a function of its text alone, so one
that the same model made before is taken as it is: from cache/vectors/, which git and DVC ignore, or, where that is
empty (a fresh runner), from the last commit's output in DVC's cache or remote. The output is the same to the byte.
The model `released` is that of models/release/, base or tuned: what it made under either name is known too.
How many were reused stands in logs/embed.jsonl and on the screen, not in the figures: those depend on inputs alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from argot.core.params import Settings, SomeSettings, load
from argot.core.parquet import read_table
from argot.core.stage import FIGURES, HERE, run, stage_parser, write_figures
from argot.encoding import ray as ray_engine
from argot.encoding.embedder import Embedder, Precision, Role
from argot.encoding.store import Vectors, key, read_vectors, write_vectors
from argot.errors import InputError
from argot.tables import chunks, pairs, questions
from argot.tables.passages import passages_of

OUT = Path("data/embeddings")
KEPT = Path("cache/vectors")
LOG = Path("logs/embed.jsonl")
# Texts whose vectors are written together while a stage runs: what a kill can lose.
SEGMENT = 2048
MODELS = {name: Path("models") / name for name in ("base", "tuned")} | {
    "released": Path("models/release/embedder")
}
ROLES: dict[str, Role] = {"passages": "passage", "pairs": "query", "questions": "query"}
Array = NDArray[np.float32]
Kept = dict[str, tuple[Array, bool]]
Encode = Callable[[Sequence[str], Role], Iterator[tuple[list[int], Array]]]


class EmbedSettings(Settings):
    """What decides a vector beside its text and its model: the section `embed`."""

    precision: Precision


class MachineSettings(SomeSettings):
    """The device, of the section `machine`."""

    device: Literal["auto", "cpu", "cuda", "mps"]


def main(model: str, kind: str, home: Path = HERE) -> str:
    """Embed `kind` of texts by `model`: those that were never embedded by it before."""
    device, precision = (
        load("machine", MachineSettings).device,
        load("embed", EmbedSettings).precision,
    )
    texts = read_texts(kind, home)
    embedder = Embedder.load(MODELS[model], device, precision=precision)
    name = f"embed-{model}-{kind}"
    kept = read_kept(kind, embedder.identity) or previous(model, kind, embedder.identity, home)
    made = embed(embedder, encoder(embedder, device), kind, texts, kept)
    write_vectors(home / OUT / model / kind, made)
    reused, cut = sum(name in kept for name in made.keys), int(made.truncated.sum())
    figures = {
        "texts": len(texts),
        "cut": cut,
        "dimension": embedder.dimension,
        "identity": embedder.identity,
    }
    write_figures(name, figures, home)
    keep_only(KEPT / embedder.folder.name / kind, embedder.identity, made)
    forget(kind, made.keys)
    log(name, len(texts), reused)
    cut_line = f"; {cut} cut at {embedder.max_tokens} tokens" if cut else ""
    return f"{len(texts)} texts → {embedder.dimension} dimensions; {reused} known before{cut_line}"


def encoder(embedder: Embedder, device: str) -> Encode:
    """What turns texts into vectors: this process, or the workers of a Ray cluster."""
    return (
        partial(ray_engine.encode_stream, embedder, device)
        if ray_engine.asked_for()
        else embedder.encode_stream
    )


def embed(embedder: Embedder, encode: Encode, kind: str, texts: list[str], kept: Kept) -> Vectors:
    """The vectors of `texts`: those of `kept` as they are, the others made now.

    What is new goes to disk segment by segment, so that a stage that is killed has lost little.
    """
    values, truncated = (
        np.empty((len(texts), embedder.dimension), np.float32),
        np.zeros(len(texts), dtype=bool),
    )
    made = Vectors([key(text) for text in texts], values, truncated)
    new = [row for row, name in enumerate(made.keys) if name not in kept]
    for row in set(range(len(texts))).difference(new):
        values[row], truncated[row] = kept[made.keys[row]]
    unknown = [texts[row] for row in new]
    truncated[new] = embedder.token_counts(unknown, ROLES[kind]) > embedder.max_tokens
    fresh: list[int] = []
    for batch, vectors in encode(unknown, ROLES[kind]):
        rows = [new[row] for row in batch]
        values[rows] = vectors
        fresh += rows
        if len(fresh) >= SEGMENT:
            write_segment(KEPT / embedder.folder.name / kind / embedder.identity, made.take(fresh))
            fresh = []
    return made


def write_segment(folder: Path, some: Vectors) -> None:
    """Keep some vectors in a folder of their own, named by what it holds."""
    write_vectors(folder / key("".join(some.keys)), some)


def segments(kind: str, identity: str = "*") -> Iterator[tuple[Path, Vectors]]:
    """The segments of kept vectors, whatever their model was called; one that can't be read is removed."""
    for segment in sorted(KEPT.glob(f"*/{kind}/{identity}/*")):
        try:
            yield segment, read_vectors(segment)
        except InputError:
            shutil.rmtree(segment)


def read_kept(kind: str, identity: str) -> Kept:
    """All vectors that were kept of a model, by key."""
    kept: Kept = {}
    for _, stored in segments(kind, identity):
        kept.update(by_key(stored))
    return kept


def by_key(stored: Vectors) -> Kept:
    """What a store holds of each text."""
    return {
        name: (stored.values[row], bool(stored.truncated[row]))
        for row, name in enumerate(stored.keys)
    }


def previous(model: str, kind: str, identity: str, home: Path) -> Kept:
    """The vectors of this stage's output as of the last commit, if the same model and code made them.

    DVC has deleted them from the workspace, and a fresh runner has them only in the remote. Nothing is said where
    there are none: no repository, no such output, no remote, no network.
    """
    places = [(home, model)] + [(HERE, name) for name in ("tuned", "base") if model == "released"]
    for place, name in places:
        with suppress(Exception), TemporaryDirectory() as folder:
            from dvc.api import DVCFileSystem

            # A commit's, never the workspace's: there, vectors and figures may be of two runs.
            committed = DVCFileSystem(rev="HEAD")
            committed.repo.get_rev()
            figures = json.loads(
                committed.read_text(str(place / FIGURES / f"embed-{name}-{kind}.json"))
            )
            if figures["identity"] == identity:
                committed.get(str(place / OUT / name / kind), f"{folder}/stored", recursive=True)
                stored = read_vectors(Path(folder) / "stored")
                return by_key(stored)
    return {}


def keep_only(folder: Path, identity: str, made: Vectors) -> None:
    """Keep these vectors, in one segment, and no others: neither deleted texts' nor another model's."""
    whole = key("".join(made.keys))
    if not (folder / identity / whole).exists():
        write_segment(folder / identity, made)
    for old in [*folder.glob("*"), *(folder / identity).glob("*")]:
        if old.name not in (identity, whole):
            shutil.rmtree(old)


def forget(kind: str, keys: list[str]) -> None:
    """Drop the vectors of texts that are no more from what was kept of any model."""
    alive = set(keys)
    for segment, stored in segments(kind):
        rows = [row for row, name in enumerate(stored.keys) if name in alive]
        if len(rows) < len(stored.keys):
            write_segment(segment.parent, stored.take(rows))
            shutil.rmtree(segment)


def log(name: str, texts: int, reused: int) -> None:
    """Note in the ignored logs how much was known before: in figures it would make two equal runs differ."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"stage": name, "texts": texts, "reused": reused}) + "\n")


def read_texts(kind: str, home: Path) -> list[str]:
    """The distinct texts to embed, in the order of their tables: passages of all chunks, or queries of all splits."""
    if kind == "passages":
        table = read_table(home / chunks.PATH, chunks.SCHEMA, ["heading", "text"])
        return list(dict.fromkeys(passages_of(table)))
    module = pairs if kind == "pairs" else questions
    tables = (read_table(path, module.SCHEMA, ["query"]) for path in module.PATHS.values())
    return list(dict.fromkeys(query for table in tables for query in table["query"].to_pylist()))


def arguments() -> argparse.Namespace:
    """MODEL, TEXTS and --home of the command line."""
    parser = stage_parser("embed", __doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("texts", choices=list(ROLES))
    parser.add_argument("--home", type=Path, default=HERE, help="the folder to write below")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    run(
        f"embed-{given.model}-{given.texts}",
        lambda: main(given.model, given.texts, given.home),
        given.home,
    )
