"""Every system of a repository, asked by hand: the rows of the report, with the fusions it chose.

For comparing systems on a question, and for labelling. Only where the pipeline has run: a release
alone has one model.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argot.core.parquet import read_table
from argot.encoding.embedder import Embedder
from argot.encoding.store import cut, read_vectors
from argot.errors import InputError
from argot.evaluation import systems
from argot.evaluation.names import BM25
from argot.search.bm25 import LEXICAL, Bm25
from argot.search.dense import Dense, Exact
from argot.search.fusion import DEPTH
from argot.search.hits import MISSING, Hits, tie_order
from argot.search.ranker import Ranker
from argot.tables import chunks, documents


@dataclass(frozen=True)
class Place:
    """A passage in a system's ranking."""

    id: str
    rank: int
    score: float


def is_repository() -> bool:
    """Has the pipeline run here, so that there are systems to compare?"""
    needed = (chunks.PATH, documents.PATH, systems.PATH, LEXICAL)
    return all(path.exists() for path in needed) and any(map(_is_here, systems.MODELS))


class Workbench:
    """The systems of this repository, loaded when they are first asked."""

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._lock = threading.Lock()  # one question at a time: this is for one person

    def search(self, query: str) -> dict[str, list[Place]]:
        """What each system of the report finds, by its name: the best DEPTH passages."""
        with self._lock:
            found = {name: each.search([query], DEPTH) for name, each in self._rankers.items()}
            return {
                system.name: self._places(system.rank(found, DEPTH, self._ties))
                for system in self._systems
            }

    def passage(self, id: str) -> dict[str, Any]:
        """A passage's row; InputError where there is none of this id."""
        if id not in self._rows:
            raise InputError(f"no passage '{id}' here; search again")
        return self._rows[id]

    def quote(self, id: str) -> str:
        """A passage word for word as in its document, where no table header is repeated for it."""
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
    def _ties(self) -> NDArray[np.int64]:
        return tie_order(self._ids)

    @cached_property
    def _documents(self) -> dict[str, str]:
        table = read_table(documents.PATH, documents.SCHEMA, ["document", "text"]).to_pydict()
        return dict(zip(table["document"], table["text"], strict=True))

    @cached_property
    def _systems(self) -> list[systems.System]:
        """The rows of the report, without managed models, which would have to be paid."""
        return [
            system
            for system in systems.read_systems()
            if system.model is None or _is_here(system.model)
        ]

    @cached_property
    def _rankers(self) -> dict[str, Ranker]:
        """BM25 by its name, and the vectors of each model by its row."""
        texts = chunks.Corpus().passages
        rankers: dict[str, Ranker] = {BM25: Bm25.stored(self._ids)}
        embedders: dict[str, Embedder] = {}
        for system in self._systems:
            if system.model is None or system.dense in rankers:
                continue
            if system.model not in embedders:
                folder = Path("models", system.model)
                embedders[system.model] = Embedder.load(folder, self._device)
            vectors = cut(read_vectors(_vectors(system.model)).of(texts), system.dim)
            encode = partial(_encode, embedders[system.model], system.dim)
            rankers[system.dense] = Dense(Exact(vectors), encode, self._ties)
        return rankers

    def _places(self, hits: Hits) -> list[Place]:
        found = zip(hits.positions[0].tolist(), hits.scores[0].tolist(), strict=True)
        return [
            Place(self._ids[at], rank, score)
            for rank, (at, score) in enumerate(found, start=1)
            if at != MISSING
        ]


def _encode(embedder: Embedder, dim: int, queries: Sequence[str]) -> NDArray[np.float32]:
    return cut(embedder.encode_queries(queries), dim)


def _is_here(model: str) -> bool:
    return Path("models", model).is_dir() and _vectors(model).is_dir()


def _vectors(model: str) -> Path:
    return systems.VECTORS / model / "passages"
