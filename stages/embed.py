"""Embed one set of texts by one model: data/embeddings/MODEL/TEXTS/.

    python -m stages.embed base|tuned|released passages|pairs|questions [--home FOLDER]

Each distinct text has one vector, and token vectors where it is searched by tokens; they are found
again by the text itself. What the same model encoded before is reused (argot/encoding/kept.py), and
the output is the same to the byte as if nothing was. The model `released` is that of
models/release/, base or tuned: what it made under either name counts. How many were reused is
written to logs/embed.jsonl, for figures depend on inputs alone.
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

from argot.core.params import load
from argot.core.parquet import read_table
from argot.core.stage import FIGURES, HERE, run, stage_parser, write_figures
from argot.encoding import kept
from argot.encoding import ray as ray_engine
from argot.encoding.embedder import Embedder, Role
from argot.encoding.fast.precision import Encoding
from argot.encoding.kept import Kept
from argot.encoding.store.encoded import Encoded, TokenSettings, write_encoded
from argot.encoding.store.tokens import Tokens
from argot.encoding.store.vectors import Vectors, key
from argot.encoding.token_encoder import TokenEncoder
from argot.tables import chunks, pairs, questions
from argot.tables.chunks import Corpus

OUT = Path("data/embeddings")
LOG = Path("logs/embed.jsonl")
# Texts whose vectors are written together while a stage runs: what a kill can lose.
SEGMENT = 2048
MODELS = {name: Path("models") / name for name in ("base", "tuned")} | {
    "released": Path("models/release/embedder")
}
# A release keeps its rankers when it is refreshed.
RELEASED_TOKENS = Path("models/release/tokens")
ROLES: dict[str, Role] = {"passages": "passage", "pairs": "query", "questions": "query"}
# Rows of the texts, their vectors and, where they were asked for, their tokens: batch by batch.
Stream = Iterator[tuple[list[int], NDArray[np.float32], Tokens]]
Encode = Callable[[Sequence[str], Role, bool], Stream]


class EmbedMachine(ray_engine.EngineSettings):
    """Device and engine, of the section `machine`."""

    device: Literal["auto", "cpu", "cuda", "mps"]


def main(model: str, kind: str, home: Path = HERE) -> str:
    """Embed `kind` of texts by `model`: those that it never embedded before."""
    machine, settings = load("machine", EmbedMachine), load("embed", Encoding)
    searched = load("index", TokenSettings)
    if model == "released":
        searched = TokenSettings(tokens="on" if RELEASED_TOKENS.is_dir() else "off")
    texts, by_token = read_texts(kind, home, searched)
    embedder = Embedder.load(MODELS[model], machine.device, precision=settings.precision, bulk=True)
    known = kept.read_kept(kind, embedder.identity) or committed(model, kind, embedder, home)
    segments = kept.segment_folder(embedder.folder.name, kind, embedder.identity)

    made = embed(
        embedder, encoder(embedder, machine), ROLES[kind], texts, by_token, known, segments
    )

    write_encoded(home / OUT / model / kind, made)
    cut = int(made.vectors.truncated.sum())
    figures = {
        "texts": len(texts),
        "cut": cut,
        "dimension": embedder.dimension,
        "by_token": len(made.tokens),
        "token_bytes": made.tokens.bytes,
    }
    name = f"embed-{model}-{kind}"
    write_figures(name, {**figures, "identity": embedder.identity}, home)
    kept.keep_only(segments, made)
    kept.forget_others(kind, made.keys)
    reused = sum(text in known for text in made.keys)
    log(name, len(texts), reused)
    cut_line = f"; {cut} cut at {embedder.max_tokens} tokens" if cut else ""
    return f"{len(texts)} texts → {embedder.dimension} dimensions; {reused} known before{cut_line}"


def read_texts(kind: str, home: Path, settings: TokenSettings) -> tuple[list[str], set[str]]:
    """The distinct texts in the order of their tables, and those that are searched by tokens.

    These are all passages, or queries of all splits. Training queries are never searched by tokens.
    """
    if kind == "passages":
        passages = list(dict.fromkeys(Corpus(home / chunks.PATH).passages))
        return passages, set(passages) if settings.wants(len(passages)) else set()
    module = pairs if kind == "pairs" else questions
    queries = {
        split: read_table(path, module.SCHEMA, ["query"])["query"].to_pylist()
        for split, path in module.PATHS.items()
    }
    measured = {query for split, own in queries.items() if split != "train" for query in own}
    texts = list(dict.fromkeys(query for split in queries.values() for query in split))
    return texts, set() if settings.tokens == "off" else measured


def committed(model: str, kind: str, embedder: Embedder, home: Path) -> Kept:
    """What this stage, or for a released model its maker's, wrote as of the last commit."""
    makers = ("tuned", "base") if model == "released" else ()
    for place, name in [(home, model), *((HERE, maker) for maker in makers)]:
        figures = place / FIGURES / f"embed-{name}-{kind}.json"
        store = place / OUT / name / kind
        if found := kept.read_committed(store, figures, embedder.identity):
            return found
    return Kept([])


def encoder(embedder: Embedder, machine: EmbedMachine) -> Encode:
    """What turns texts into vectors: this process, or the workers of a Ray cluster."""
    if machine.engine == "ray":
        return partial(ray_engine.encode_stream, embedder, machine.device)
    return TokenEncoder(embedder).stream


def embed(
    embedder: Embedder,
    encode: Encode,
    role: Role,
    texts: list[str],
    by_token: set[str],
    known: Kept,
    segments: Path,
) -> Encoded:
    """What the model says of `texts`: what is `known` as it is, the rest made now.

    Those in `by_token` have token vectors too. What is new goes to disk segment by segment, so that
    a stage that is killed has lost little.
    """
    values = np.empty((len(texts), embedder.dimension), np.float32)
    truncated = np.zeros(len(texts), dtype=bool)
    vectors = Vectors([key(text) for text in texts], values, truncated)
    wanted = np.array([text in by_token for text in texts], dtype=bool)
    there = [known.knows(*asked) for asked in zip(vectors.keys, wanted.tolist(), strict=True)]
    for row in np.flatnonzero(there):
        values[row], truncated[row] = known.vector(vectors.keys[row])

    tokens = [store.tokens for store in known.stores]
    for searched in (True, False):
        new = np.flatnonzero((wanted == searched) & ~np.array(there, dtype=bool))
        unknown = [texts[row] for row in new]
        truncated[new] = embedder.token_counts(unknown, role) > embedder.max_tokens
        for rows, part in fill(vectors, new, encode(unknown, role, searched)):
            kept.write_segment(segments, Encoded(vectors.take(rows), part))
            tokens.append(part)
    by_key = [name for name, asked in zip(vectors.keys, wanted, strict=True) if asked]
    return Encoded(vectors, Tokens.gathered(tokens, by_key))


def fill(
    vectors: Vectors, new: NDArray[np.int64], encoded: Stream
) -> Iterator[tuple[list[int], Tokens]]:
    """Put what is encoded into the rows `new` of `vectors`; give rows and tokens by segments."""
    rows: list[int] = []
    parts: list[Tokens] = []
    for batch, values, tokens in encoded:
        at = new[batch].tolist()
        vectors.values[at] = values
        rows += at
        parts.append(tokens)
        if len(rows) >= SEGMENT:
            yield rows, Tokens.joined(parts)
            rows, parts = [], []
    if rows:
        yield rows, Tokens.joined(parts)


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
