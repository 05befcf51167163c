"""Embed one set of texts by one model: data/embeddings/MODEL/TEXTS/.

    python -m stages.embed base|tuned passages|pairs|questions

Each distinct text has one vector, found again by the text itself. Times stand in logs/, not in the figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict

from argot.embedder import Embedder, Role
from argot.params import Settings, load
from argot.passages import passage
from argot.stage import run, write_figures
from argot.tables import chunks, pairs, questions
from argot.tables.parquet import read_table
from argot.vectors import key, write_vectors

OUT = Path("data/embeddings")
MODELS = ("base", "tuned")
ROLES: dict[str, Role] = {"passages": "passage", "pairs": "query", "questions": "query"}


class MachineSettings(Settings):
    """The device; `machine` holds sections of other stages too, so unknown keys are theirs."""

    model_config = ConfigDict(extra="ignore")

    device: Literal["auto", "cpu", "cuda", "mps"]


def main(model: str, kind: str) -> str:
    """Embed `kind` of texts by models/`model`."""
    settings = load("machine", MachineSettings)
    texts = read_texts(kind)
    embedder = Embedder.load(Path("models") / model, settings.device)
    role = ROLES[kind]
    values = embedder.encode_passages(texts) if role == "passage" else embedder.encode_queries(texts)
    cut = int((embedder.token_counts(texts, role) > embedder.max_tokens).sum())
    write_vectors(OUT / model / kind, [key(text) for text in texts], values)
    write_figures(f"embed-{model}-{kind}", {"texts": len(texts), "cut": cut, "dimension": embedder.dimension})
    cut_line = f"; {cut} cut at {embedder.max_tokens} tokens" if cut else ""
    return f"{len(texts)} texts → {embedder.dimension} dimensions{cut_line}"


def read_texts(kind: str) -> list[str]:
    """The distinct texts to embed, in the order of their tables: passages of all chunks, or queries of all splits."""
    if kind == "passages":
        table = read_table(chunks.PATH, chunks.SCHEMA, ["heading", "text"])
        return list(dict.fromkeys(map(passage, table["heading"].to_pylist(), table["text"].to_pylist())))
    module = pairs if kind == "pairs" else questions
    tables = (read_table(path, module.SCHEMA, ["query"]) for path in module.PATHS.values())
    return list(dict.fromkeys(query for table in tables for query in table["query"].to_pylist()))


def arguments() -> argparse.Namespace:
    """MODEL and TEXTS of the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.embed", description="Embed one set of texts by one model.")
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("texts", choices=list(ROLES))
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    run(f"embed-{given.model}-{given.texts}", lambda: main(given.model, given.texts))
