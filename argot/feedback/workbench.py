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
from pydantic import ValidationError

from argot.core.parquet import read_table
from argot.encoding.embedder import Embedder
from argot.encoding.store.encoded import tokens_of
from argot.encoding.store.vectors import cut, read_vectors
from argot.encoding.token_encoder import QueryEncoder, TokenEncoder
from argot.errors import InputError
from argot.evaluation import names, systems
from argot.evaluation.names import BM25
from argot.ranking.bm25 import LEXICAL, Bm25
from argot.ranking.dense import Dense, Exact
from argot.ranking.fusion import DEPTH, Verdict
from argot.ranking.hits import MISSING, Hits, tie_order
from argot.ranking.tokens import ByToken, TokenIndex
from argot.tables import chunks, documents

VERDICT = Path("data/verdict.json")


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
            found: systems.Found = {BM25: {BM25: self._bm25.search([query], DEPTH)}}
            for row, (dense, by_token) in self._models.items():
                found |= systems.search_model(row, self._bm25, dense, by_token, [query], self._ties)
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
    def ships(self) -> str:
        """The system that ships, as `evaluate` decided; empty where no verdict can be read."""
        try:
            return Verdict.model_validate_json(VERDICT.read_bytes()).system
        except (OSError, ValidationError):
            return ""

    @cached_property
    def _rows(self) -> dict[str, dict[str, Any]]:
        rows = read_table(chunks.PATH, chunks.SCHEMA).to_pylist()
        return {
            row["chunk"]: {**row, "page_name": chunks.page_name(row["document"], row["page"])}
            for row in rows
        }

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
    def _bm25(self) -> Bm25:
        return Bm25.stored(self._ids)

    @cached_property
    def _models(self) -> dict[str, tuple[Dense, ByToken | None]]:
        """The rankers by vectors and by tokens of each model, by the model's row."""
        texts = chunks.Corpus().passages
        rankers: dict[str, tuple[Dense, ByToken | None]] = {}
        encoders: dict[str, QueryEncoder] = {}
        rows = {system.name for system in self._systems}
        for system in self._systems:
            if system.model is None or (row := names.row(system.model, system.dim)) in rankers:
                continue
            if system.model not in encoders:
                embedder = Embedder.load(Path("models", system.model), self._device)
                encoders[system.model] = QueryEncoder(TokenEncoder(embedder))
            encoder, store = encoders[system.model], _passages(system.model)
            vectors = cut(read_vectors(store).of(texts), system.dim)
            encode = partial(_encode, encoder, system.dim)
            by_token = None
            if names.with_tokens(row) in rows:
                by_token = ByToken(TokenIndex.build(tokens_of(store).of(texts)), encoder.tokens)
            rankers[row] = Dense(Exact(vectors), encode, self._ties), by_token
        return rankers

    def _places(self, hits: Hits) -> list[Place]:
        found = zip(hits.positions[0].tolist(), hits.scores[0].tolist(), strict=True)
        return [
            Place(self._ids[at], rank, score)
            for rank, (at, score) in enumerate(found, start=1)
            if at != MISSING
        ]


def _encode(encoder: QueryEncoder, dim: int, queries: Sequence[str]) -> NDArray[np.float32]:
    return cut(encoder.vectors(queries), dim)


def _is_here(model: str) -> bool:
    return Path("models", model).is_dir() and _passages(model).is_dir()


def _passages(model: str) -> Path:
    return systems.VECTORS / model / "passages"
