"""Search a release: dense, lexical, or both fused, ranked exactly as the evaluation ranked them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.embedder import Embedder
from argot.errors import InputError, ReleaseError
from argot.fusion import DEPTH, Fusion, fuse
from argot.index import VectorIndex, read_head
from argot.lexical import Bm25
from argot.passages import passage, passages_of
from argot.ranking import MISSING, Hits, tie_order, top_k
from argot.release import CHUNKS, EMBEDDER, INDEX, LEXICAL, Manifest, Mode, check, mismatch
from argot.remote import fetch, is_remote
from argot.rerank import DEPTH as RERANKED
from argot.rerank import Reranker
from argot.tables import chunks
from argot.tables.parquet import read_table

Filter = Mapping[str, Any]
MODES = ("fused", "dense", "lexical")
FAR_LONGER = 2  # times the longest question that the release was tested on
VERIFIED = 32  # passages that `verify` encodes again
SAME = 0.98  # cosine of a passage's two vectors; hardware and int8 move it less, another model more


class LongQuestion(UserWarning):
    """A question far longer than those the release was proven on."""


@dataclass(frozen=True)
class Passage:
    """A passage that was found: `rank` counts from 1; a system that didn't find it has no rank for it."""

    id: str
    text: str
    document: str
    title: str
    heading: str
    start: int  # span in the document's Markdown, in characters
    end: int
    metadata: dict[str, Any]
    score: float
    rank: int
    dense_rank: int | None
    lexical_rank: int | None


class Retriever:
    """A loaded release. Get one by `Retriever.load`; the embedder is loaded by the first search that needs it."""

    def __init__(
        self, folder: Path, manifest: Manifest, device: str = "auto", reranker: Reranker | None = None
    ) -> None:
        self.folder = folder
        self.reranker = reranker
        self.manifest = manifest
        self.device = device
        self.fusion = Fusion(manifest.verdict.fusion.method, manifest.verdict.fusion.weight)

    @classmethod
    def load(
        cls, place: str | Path, rev: str | None = None, device: str = "auto", reranker: str | Path | None = None
    ) -> Retriever:
        """Open a release: a folder, or models/release of a DVC repository (its address or folder) at revision `rev`.

        ReleaseError names the part that doesn't match the manifest, if one doesn't. `reranker` is the folder of a
        cross-encoder that reads the best passages again.
        """
        folder = fetch(str(place), rev) if rev or is_remote(place) else Path(place)
        manifest = check(folder)
        _, dimension, count = read_head(folder / INDEX)
        for found, expected, what in (
            (dimension, manifest.dimension, "dimensions"),
            (count, manifest.passages, "passages"),
        ):
            if found != expected:
                raise mismatch(folder, INDEX, found, expected, what)
        return cls(folder, manifest, device, Reranker(reranker, device) if reranker else None)

    def search(self, query: str, k: int = 10, mode: Mode | None = None, filter: Filter | None = None) -> list[Passage]:
        """The k best passages for `query`, best first.

        `mode` is fused, dense or lexical, and the one that the evaluation found best where none is given. `filter`
        keeps documents whose metadata have these values (one of them, where the metadata hold a list).
        """
        return self.search_many([query], k, mode, filter)[0]

    def search_many(
        self, queries: Sequence[str], k: int = 10, mode: Mode | None = None, filter: Filter | None = None
    ) -> list[list[Passage]]:
        """`search` for many queries at once."""
        mode = mode or self.manifest.verdict.mode
        if mode not in MODES:
            raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}")
        for query in queries:
            if told := self.too_long(query):
                warnings.warn(told, LongQuestion, stacklevel=3)
        wanted, k = k, max(k, RERANKED) if self.reranker else k
        depth = max(k, DEPTH) if mode == "fused" else k
        rows = self._rows(filter) if filter else None
        dense = self._dense(queries, depth, rows) if mode != "lexical" else None
        lexical = self._lexical(queries, depth, rows) if mode != "dense" else None
        if dense and lexical:
            hits = fuse(dense, lexical, self.fusion, k, self._ties)
        else:
            hits = dense or lexical or _nothing(len(queries))
        found = [self._passages(row, hits, dense, lexical) for row in range(len(queries))]
        if self.reranker:
            return [self._reranked(query, ones)[:wanted] for query, ones in zip(queries, found, strict=True)]
        return found

    def too_long(self, query: str) -> str:
        """What to tell who asks far longer than the questions that the release was proven on; else nothing."""
        words, proven = len(query.split()), self.manifest.longest_question
        if words <= FAR_LONGER * proven:
            return ""
        return f"a question of {words} words; this release was proven on questions of up to {proven}: ask shorter"

    def verify(self) -> int:
        """Open every part and encode some passages again; return how many. `load` has hashed the files already.

        Raises ReleaseError where the vectors in the index aren't those of the embedder.
        """
        _ = self.lexical
        rows = np.unique(np.linspace(0, self.manifest.passages - 1, VERIFIED).astype(int))
        some = self.chunks.take(rows)
        texts = passages_of(some)
        likeness = np.einsum("nd,nd->n", self.embedder.encode_passages(texts), self.vectors[rows])
        if likeness.min() < SAME:
            raise ReleaseError(f"{self.folder / INDEX} holds vectors of another model than {self.folder / EMBEDDER}")
        return len(rows)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The passages' vectors as the index keeps them, (passages, dimension)."""
        return self.index.vectors

    @cached_property
    def embedder(self) -> Embedder:
        """The model that queries are encoded by."""
        return Embedder.load(self.folder / EMBEDDER, self.device, self.manifest.dimension)

    @cached_property
    def index(self) -> VectorIndex:
        """The passages' vectors."""
        return VectorIndex.load(self.folder / INDEX)

    @cached_property
    def lexical(self) -> Bm25:
        """BM25 over the passages."""
        lexical = Bm25.load(self.folder / LEXICAL)
        if lexical.ids != self.chunks["chunk"].to_pylist():
            raise ReleaseError(f"{self.folder / LEXICAL} is of other passages than {self.folder / CHUNKS}")
        return lexical

    @cached_property
    def chunks(self) -> pa.Table:
        """The passages' texts, one row each, in the order of the index."""
        table = read_table(self.folder / CHUNKS, chunks.SCHEMA)
        if len(table) != self.manifest.passages:
            raise mismatch(self.folder, CHUNKS, len(table), self.manifest.passages, "passages")
        return table

    @cached_property
    def metadata_keys(self) -> list[str]:
        """The keys that a filter may have: those of any document's metadata."""
        return sorted(set().union(*self._metadata[0]))

    @cached_property
    def _ties(self) -> NDArray[np.int64]:
        return tie_order(self.chunks["chunk"].to_pylist())

    @cached_property
    def _metadata(self) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
        """Each distinct set of metadata, and which one a passage has: documents share one among their passages."""
        encoded = self.chunks["metadata"].combine_chunks().dictionary_encode()
        return [json.loads(text) for text in encoded.dictionary.to_pylist()], encoded.indices.to_numpy()

    def _rows(self, filter: Filter) -> NDArray[np.int64]:
        distinct, owner = self._metadata
        for key in filter:
            if key not in self.metadata_keys:
                known = ", ".join(self.metadata_keys) or "none"
                raise InputError(f"no document has metadata {key!r}; known are: {known}")
        allowed = np.array([_matches(metadata, filter) for metadata in distinct], dtype=bool)
        return np.flatnonzero(allowed[owner])

    def _dense(self, queries: Sequence[str], k: int, rows: NDArray[np.int64] | None) -> Hits:
        return self.index.search(self.embedder.encode_queries(queries), k, self._ties, rows)

    def _lexical(self, queries: Sequence[str], k: int, rows: NDArray[np.int64] | None) -> Hits:
        if rows is None:
            return self.lexical.search(queries, k)
        scores = np.full((len(queries), self.manifest.passages), -np.inf, dtype=np.float32)
        for row, query in enumerate(queries):
            found = self.lexical.scores(query)[rows]
            scores[row, rows] = np.where(found > 0, found, -np.inf)
        return top_k(scores, k, self._ties)

    def _reranked(self, query: str, found: Sequence[Passage]) -> list[Passage]:
        assert self.reranker is not None
        scores = self.reranker.scores(query, [passage(one.heading, one.text) for one in found])
        best = sorted(zip(scores, found, strict=True), key=lambda pair: (-pair[0], pair[1].id))
        return [replace(one, score=score, rank=rank) for rank, (score, one) in enumerate(best, start=1)]

    def _passages(self, row: int, hits: Hits, dense: Hits | None, lexical: Hits | None) -> list[Passage]:
        positions = hits.positions[row][hits.positions[row] != MISSING]
        dense_ranks, lexical_ranks = _ranks(dense, row), _ranks(lexical, row)
        found = self.chunks.take(positions).to_pylist()
        return [
            Passage(
                id=chunk["chunk"],
                text=chunk["text"],
                document=chunk["document"],
                title=chunk["title"],
                heading=chunk["heading"],
                start=chunk["start"],
                end=chunk["end"],
                metadata=json.loads(chunk["metadata"]),
                score=float(hits.scores[row, place]),
                rank=place + 1,
                dense_rank=dense_ranks.get(int(position)),
                lexical_rank=lexical_ranks.get(int(position)),
            )
            for place, (position, chunk) in enumerate(zip(positions, found, strict=True))
        ]


def _matches(metadata: Mapping[str, Any], filter: Filter) -> bool:
    return all(_holds(metadata.get(key), wanted) for key, wanted in filter.items())


def _holds(value: Any, wanted: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(one == wanted or (one is not None and str(one) == str(wanted)) for one in values)


def _ranks(hits: Hits | None, row: int) -> dict[int, int]:
    return {} if hits is None else {int(position): rank for rank, position in enumerate(hits.positions[row], start=1)}


def _nothing(queries: int) -> Hits:
    return Hits(np.empty((queries, 0), np.int32), np.empty((queries, 0), np.float32))
