"""Every system of a repository side by side: base, tuned, BM25 and both fused, asked by hand.

A release holds the winner alone; where `dvc repro` has run, the losers are there too, to be compared and judged.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from argot.core.parquet import read_table
from argot.encoding.embedder import Embedder
from argot.encoding.store import Vectors, read_vectors
from argot.errors import InputError
from argot.search.bm25 import Bm25
from argot.search.fusion import DEPTH, Fusion, fuse
from argot.search.hits import MISSING, Hits, search_exact, tie_order
from argot.search.release import LEXICAL, read_manifest
from argot.tables import chunks, documents
from argot.tables.chunks import passage

RELEASE = Path("models/release")
MODELS = ("base", "tuned")


@dataclass(frozen=True)
class Place:
    """A passage in a system's ranking."""

    id: str
    rank: int
    score: float


def is_repository() -> bool:
    """Has the pipeline run here, so that there are systems to compare?"""
    return chunks.PATH.exists() and documents.PATH.exists() and RELEASE.exists() and bool(_models())


class Workbench:
    """The systems of this repository, loaded when they are first asked."""

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._lock = threading.Lock()  # one question at a time: this is for one person

    def search(self, query: str) -> dict[str, list[Place]]:
        """What each system finds, the best DEPTH passages: bm25, then each model alone and fused with BM25."""
        with self._lock:
            lexical = self._lexical.search([query], DEPTH)
            found = {"bm25": lexical}
            for name, (embedder, vectors) in self._dense.items():
                found[name] = search_exact(
                    embedder.encode_queries([query]), vectors, DEPTH, self._ties
                )
                found[f"{name}+bm25"] = fuse(found[name], lexical, self._fusion, DEPTH, self._ties)
        return {system: self._places(hits) for system, hits in found.items()}

    def passage(self, id: str) -> dict[str, Any]:
        """A passage's row; InputError where there is none of this id."""
        if id not in self._rows:
            raise InputError(f"no passage '{id}' here; search again")
        return self._rows[id]

    def quote(self, id: str) -> str:
        """A passage as it stands in its document's Markdown: word for word, which a repeated table header is not."""
        row = self.passage(id)
        text = self._documents.get(row["document"])
        return row["text"] if text is None else text[row["start"] : row["end"]]

    @cached_property
    def _rows(self) -> dict[str, dict[str, Any]]:
        return {row["chunk"]: row for row in read_table(chunks.PATH, chunks.SCHEMA).to_pylist()}

    @cached_property
    def _ids(self) -> list[str]:
        return list(self._rows)

    @cached_property
    def _ties(self) -> Any:
        return tie_order(self._ids)

    @cached_property
    def _documents(self) -> dict[str, str]:
        table = read_table(documents.PATH, documents.SCHEMA, ["document", "text"]).to_pydict()
        return dict(zip(table["document"], table["text"], strict=True))

    @cached_property
    def _fusion(self) -> Fusion:
        fusion = read_manifest(RELEASE).verdict.fusion
        return Fusion(fusion.method, fusion.weight)

    @cached_property
    def _lexical(self) -> Bm25:
        lexical = Bm25.load(RELEASE / LEXICAL)
        if lexical.ids != self._ids:
            raise InputError(f"{RELEASE} is of other passages than {chunks.PATH}; run `dvc repro`")
        return lexical

    @cached_property
    def _dense(self) -> dict[str, tuple[Embedder, Any]]:
        texts = [passage(row["heading"], row["text"]) for row in self._rows.values()]
        return {
            name: (Embedder.load(Path("models") / name, self._device), _stored(name).of(texts))
            for name in _models()
        }

    def _places(self, hits: Hits) -> list[Place]:
        found = zip(hits.positions[0].tolist(), hits.scores[0].tolist(), strict=True)
        return [
            Place(self._ids[at], rank, score)
            for rank, (at, score) in enumerate(found, start=1)
            if at != MISSING
        ]


def _models() -> Sequence[str]:
    return [name for name in MODELS if Path("models", name).is_dir() and _folder(name).is_dir()]


def _stored(name: str) -> Vectors:
    return read_vectors(_folder(name))


def _folder(name: str) -> Path:
    return Path("data/embeddings", name, "passages")
