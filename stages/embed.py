"""Embed one set of texts by one model: data/embeddings/MODEL/TEXTS/.

    python -m stages.embed base|tuned|released passages|pairs|questions [--home FOLDER]

Each distinct text has one vector, found again by the text itself. What the same model encoded before
is reused (argot/encoding/kept.py), and the output is the same to the byte as if nothing was. The
model `released` is that of models/release/, base or tuned: what it made under either name counts.
How many were reused is written to logs/embed.jsonl, for figures depend on inputs alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from argot.core.params import Settings, load
from argot.core.parquet import read_table
from argot.core.stage import FIGURES, HERE, run, stage_parser, write_figures
from argot.encoding import kept
from argot.encoding import ray as ray_engine
from argot.encoding.embedder import Embedder, Precision, Role
from argot.encoding.kept import Kept
from argot.encoding.store import Vectors, key, write_vectors
from argot.tables import chunks, pairs, questions
from argot.tables.chunks import Corpus

OUT = Path("data/embeddings")
LOG = Path("logs/embed.jsonl")
# Texts whose vectors are written together while a stage runs: what a kill can lose.
SEGMENT = 2048
MODELS = {name: Path("models") / name for name in ("base", "tuned")} | {
    "released": Path("models/release/embedder")
}
ROLES: dict[str, Role] = {"passages": "passage", "pairs": "query", "questions": "query"}
Encode = Callable[[Sequence[str], Role], Iterator[tuple[list[int], NDArray[np.float32]]]]


class EmbedSettings(Settings):
    """What decides a vector beside its text and its model: the section `embed`."""

    precision: Precision


class EmbedMachine(ray_engine.EngineSettings):
    """Device and engine, of the section `machine`."""

    device: Literal["auto", "cpu", "cuda", "mps"]


def main(model: str, kind: str, home: Path = HERE) -> str:
    """Embed `kind` of texts by `model`: those that it never embedded before."""
    machine, settings = load("machine", EmbedMachine), load("embed", EmbedSettings)
    texts = read_texts(kind, home)
    embedder = Embedder.load(MODELS[model], machine.device, precision=settings.precision)
    known = kept.read_kept(kind, embedder.identity) or committed(model, kind, embedder, home)
    segments = kept.segment_folder(embedder.folder.name, kind, embedder.identity)

    made = embed(embedder, encoder(embedder, machine), ROLES[kind], texts, known, segments)

    write_vectors(home / OUT / model / kind, made)
    cut = int(made.truncated.sum())
    figures = {"texts": len(texts), "cut": cut, "dimension": embedder.dimension}
    name = f"embed-{model}-{kind}"
    write_figures(name, {**figures, "identity": embedder.identity}, home)
    kept.keep_only(segments, made)
    kept.forget_others(kind, made.keys)
    reused = sum(text in known for text in made.keys)
    log(name, len(texts), reused)
    cut_line = f"; {cut} cut at {embedder.max_tokens} tokens" if cut else ""
    return f"{len(texts)} texts → {embedder.dimension} dimensions; {reused} known before{cut_line}"


def read_texts(kind: str, home: Path) -> list[str]:
    """The distinct texts in the order of their tables: all passages, or queries of all splits."""
    if kind == "passages":
        return list(dict.fromkeys(Corpus(home / chunks.PATH).passages))
    module = pairs if kind == "pairs" else questions
    tables = (read_table(path, module.SCHEMA, ["query"]) for path in module.PATHS.values())
    return list(dict.fromkeys(query for table in tables for query in table["query"].to_pylist()))


def committed(model: str, kind: str, embedder: Embedder, home: Path) -> Kept:
    """What this stage, or for a released model its maker's, wrote as of the last commit."""
    makers = ("tuned", "base") if model == "released" else ()
    for place, name in [(home, model), *((HERE, maker) for maker in makers)]:
        figures = place / FIGURES / f"embed-{name}-{kind}.json"
        store = place / OUT / name / kind
        if found := kept.read_committed(store, figures, embedder.identity):
            return found
    return {}


def encoder(embedder: Embedder, machine: EmbedMachine) -> Encode:
    """What turns texts into vectors: this process, or the workers of a Ray cluster."""
    if machine.engine == "ray":
        return partial(ray_engine.encode_stream, embedder, machine.device)
    return embedder.encode_stream


def embed(
    embedder: Embedder,
    encode: Encode,
    role: Role,
    texts: list[str],
    known: Kept,
    segments: Path,
) -> Vectors:
    """The vectors of `texts`: those of `known` as they are, the others made now.

    What is new goes to disk segment by segment, so that a stage that is killed has lost little.
    """
    values = np.empty((len(texts), embedder.dimension), np.float32)
    truncated = np.zeros(len(texts), dtype=bool)
    made = Vectors([key(text) for text in texts], values, truncated)
    new = [row for row, name in enumerate(made.keys) if name not in known]
    for row in set(range(len(texts))).difference(new):
        values[row], truncated[row] = known[made.keys[row]]

    unknown = [texts[row] for row in new]
    truncated[new] = embedder.token_counts(unknown, role) > embedder.max_tokens
    fresh: list[int] = []
    for batch, vectors in encode(unknown, role):
        rows = [new[row] for row in batch]
        values[rows] = vectors
        fresh += rows
        if len(fresh) >= SEGMENT:
            kept.write_segment(segments, made.take(fresh))
            fresh = []
    return made


def log(name: str, texts: int, reused: int) -> None:
    """Note in the ignored logs how much was known before."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"stage": name, "texts": texts, "reused": reused}) + "\n")


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
