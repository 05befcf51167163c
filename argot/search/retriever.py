"""Search a release by one of its rankers, or by all of them fused, as the evaluation did."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.core.parquet import read_table, rows_at
from argot.core.terminal import encodable
from argot.encoding.embedder import Embedder
from argot.encoding.token_encoder import QueryEncoder, TokenEncoder
from argot.errors import InputError, ReleaseError
from argot.ranking.bm25 import Bm25
from argot.ranking.dense import Dense
from argot.ranking.fusion import DEPTH, Fusion, alone, fuse, scored_again
from argot.ranking.hits import MISSING, Finder, Hits, Ranker, Rows, tie_order
from argot.ranking.tokens import ByToken, TokenIndex
from argot.search.document import Document, address, pieces, rows_of
from argot.search.index import VectorIndex, read_head
from argot.search.release import CHUNKS, EMBEDDER, Manifest, check, check_again, mismatch
from argot.search.remote import fetch, is_remote
from argot.search.rerank import DEPTH as RERANKED
from argot.search.rerank import Reranker
from argot.search.rights import Groups, groups_of, named
from argot.tables import chunks
from argot.tables.chunks import page_name, passage, passages_of

Filter = Mapping[str, Any]
T = TypeVar("T")
# A release is searched by all its rankers fused, or by one of them.
HYBRID = "hybrid"
# The rankers that look through the whole release; tokens rank what these find.
FINDERS = (Bm25.name, Dense.name)
# `verify` encodes this many passages again.
VERIFIED = 32
# The least cosine of a passage's vector in the index and its vector encoded again. Other hardware
# or 8-bit storage changes the cosine less than this allows, another model changes it more.
SAME = 0.98
# The same for token vectors, as a mean over passages, for rounding may pool a passage differently.
# In bfloat16 the mean was 0.995, by the tuned model 0.86.
SAME_TOKENS = 0.95
# An error names so many known values of a filter's key.
VALUES = 10


@dataclass(frozen=True)
class Passage:
    """A passage that was found."""

    id: str
    text: str
    document: str
    title: str
    heading: str
    start: int  # span in the document's Markdown, in characters
    end: int
    metadata: dict[str, Any]
    score: float
    rank: int  # from 1
    ranks: dict[str, int]  # its rank by each ranker that found it among its best
    # How probable it is that it answers, where the release is searched as it was evaluated.
    probability: float | None = None
    url: str = ""  # where people read the document; empty: the release names no address
    page: int | None = None  # it starts on, from 1; None: its document has no pages
    page_name: str = ""  # "page 3", of a deck "slide 3"; empty: its document has no pages

    def __repr__(self) -> str:
        """One line for a notebook: the fields hold whole texts."""
        start = textwrap.shorten(self.text, 60, placeholder=" …")
        return f"Passage({self.rank}. {self.document!r}, score {self.score:.3f}: {start!r})"


class Retriever:
    """A loaded release, made by `Retriever.load`.

    Its parts, such as the model, are read by the first search that needs them.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        device: str = "auto",
        reranker: Reranker | None = None,
        once: bool = False,
    ) -> None:
        self.folder = folder
        self.reranker = reranker
        self.manifest = manifest
        self.device = device
        self.once = once

    def __repr__(self) -> str:
        verdict = self.manifest.verdict
        return (
            f"Retriever({str(self.folder)!r}: {self.manifest.passages:,} passages, "
            f"{verdict.model} model, {verdict.mode} search)"
        )

    @classmethod
    def load(
        cls,
        place: str | Path,
        rev: str | None = None,
        device: str = "auto",
        reranker: str | Path | None = None,
        once: bool = False,
    ) -> Retriever:
        """Open a release: a folder, or models/release of a DVC repository at revision `rev`.

        The repository is named by its address or folder. `reranker` is the folder of a
        cross-encoder that reads the best passages again. `once` is for a process that ends after a
        question or two: it spares the import of torch. ReleaseError names the part that doesn't
        match the manifest.
        """
        folder = fetch(str(place), rev) if rev or is_remote(place) else Path(place)
        manifest = check(folder)
        # The head of the index is read here, so that a mismatch is found before the first search.
        _, dimension, passages = read_head(folder / Dense.part)
        if dimension != manifest.dimension:
            raise mismatch(folder, Dense.part, dimension, manifest.dimension, "dimensions")
        if passages != manifest.passages:
            raise mismatch(folder, Dense.part, passages, manifest.passages, "passages")
        second = Reranker(reranker, device) if reranker else None
        return cls(folder, manifest, device, second, once)

    def search(
        self,
        query: str,
        k: int = 10,
        mode: str | None = None,
        filter: Filter | None = None,
        groups: Groups | None = None,
    ) -> list[Passage]:
        """The k best passages for `query`, best first.

        `mode` is hybrid, bm25, dense or tokens; without it, the release is searched as it was
        evaluated. `filter` keeps documents whose metadata have these values. Where the metadata
        hold a list, one of its values must be the same. `groups` are those of who asks: a release
        with access rights is not searched without them (argot.search.rights).
        """
        return self.search_many([query], k, mode, filter, groups)[0]

    def search_many(
        self,
        queries: Sequence[str],
        k: int = 10,
        mode: str | None = None,
        filter: Filter | None = None,
        groups: Groups | None = None,
    ) -> list[list[Passage]]:
        """`search` for many queries at once."""
        fusion = self.fusion(mode)
        _check(queries, k, filter or {})
        queries = [encodable(query) for query in queries]
        # 1. How many passages are needed. A cross-encoder wants more than k.
        count = max(k, RERANKED) if self.reranker else k
        # 2. Rank and fuse.
        seen = self.seen(groups)
        rows = self._rows(filter, seen) if filter else seen
        ranked, hits = self._fused(fusion, queries, count, rows, seen)
        chances = self._probabilities(fusion, hits, ranked)
        found = [self._passages(row, hits, ranked, chances) for row in range(len(queries))]
        # 3. The cross-encoder, if there is one, ranks them again.
        if self.reranker is None:
            return found
        return [
            _reranked(self.reranker, query, passages)[:k]
            for query, passages in zip(queries, found, strict=True)
        ]

    def _fused(
        self,
        fusion: Fusion,
        queries: Sequence[str],
        k: int,
        rows: Rows | None,
        seen: Rows | None,
    ) -> tuple[dict[str, Hits], Hits]:
        """What each ranker finds, and the k best of it all."""
        # 1. What each finder finds. Tokens rank what all finders find, and so does every ranker.
        names = FINDERS if fusion.by_token else fusion.rankers
        finders = {name: self.finder(name, seen) for name in names}
        depth = max(k, DEPTH)
        deep = {name: one.search(queries, depth, rows) for name, one in finders.items()}
        rankers: dict[str, Ranker] = {**finders}
        if fusion.by_token:
            rankers[ByToken.name] = self.by_token if seen is None else self.by_token.among(seen)

        def fused(found: dict[str, Hits], k: int) -> tuple[dict[str, Hits], Hits]:
            if fusion.by_token:
                asked = {name: rankers[name] for name in fusion.rankers}
                found = scored_again(asked, queries, list(found.values()), self._ties)
            return found, fuse(found, fusion, k, self._ties)

        # 2. The first ranks are of as many candidates as in the evaluation, and so don't depend on
        #    k. What is found below these follows.
        ranked, best = fused({name: hits.first(DEPTH) for name, hits in deep.items()}, k)
        if k <= DEPTH:
            return ranked, best
        ranked, deeper = fused(deep, len(deep) * depth)
        return ranked, best.followed_by(deeper, k)

    def document(self, id: str, groups: Groups | None = None) -> Document | None:
        """The document of this name, or the one that holds the passage of this id.

        None where there is none that `groups` may see.
        """
        rows, seen = rows_of(self.chunks, id), self.seen(groups)
        if seen is not None:
            rows = np.intersect1d(rows, seen)
        if not len(rows):
            return None
        table = rows_at(self.chunks, rows).to_pylist()
        name, metadata = table[0]["document"], json.loads(table[0]["metadata"])
        url = address(name, metadata, self.manifest.url)
        return Document(name, table[0]["title"], url, metadata, list(pieces(table)))

    def seen(self, groups: Groups | None) -> Rows | None:
        """The positions of the passages that `groups` may see, or None for all.

        Raises InputError where the release has access rights and no groups are given, and where it
        has none and they are.
        """
        names = named(groups, self.manifest.groups)
        if names is None:
            return None
        allowed = np.array([not names.isdisjoint(own) for own in self._groups], dtype=bool)
        return np.flatnonzero(allowed[self._metadata[1]])

    def metadata_keys(self, seen: Rows | None = None) -> list[str]:
        """The keys that a filter may have: those of the documents of the passages `seen` (all)."""
        return sorted(set().union(*self._distinct(seen)))

    def unmet(self, filter: Filter, groups: Groups | None = None) -> str:
        """Why a filter lets no document through, in a line; "" where it lets some through."""
        known = self._distinct(self.seen(groups))
        if any(_matches(metadata, filter) for metadata in known):
            return ""
        for key, wanted in filter.items():
            if not any(_holds(metadata.get(key), wanted) for metadata in known):
                given = [value for one in known for value in _listed(one.get(key))]
                values = sorted({str(value) for value in given if value is not None})
                shown = ", ".join(values[:VALUES]) + (", …" if len(values) > VALUES else "")
                return f"no document has {key}={wanted}; known are: {shown}"
        return f"no document has all of {', '.join(filter)} as asked"

    def fusion(self, mode: str | None = None) -> Fusion:
        """How a mode searches; InputError for an unknown one."""
        mode = mode or self.manifest.verdict.mode
        if mode == HYBRID:
            return self.manifest.verdict.fusion
        if mode not in self.manifest.rankers:
            known = ", ".join((HYBRID, *self.manifest.rankers))
            raise InputError(f"mode must be one of {known}, got {mode!r}")
        return alone(mode)

    def finder(self, name: str, seen: Rows | None = None) -> Finder:
        """A ranker that looks through the release, for who may see `seen` (None: all passages).

        Its parts are loaded when they are first asked for.
        """
        if name == Bm25.name:
            return self.bm25 if seen is None else self.bm25.among(seen)
        both = ByToken.name in self.manifest.rankers
        encode = self.encoder.vectors if both else self.embedder.encode_queries
        return Dense(self.index, encode, self._ties)

    @property
    def by_token(self) -> ByToken:
        """The ranker by tokens."""
        return ByToken(self.tokens, self.encoder.tokens)

    @cached_property
    def encoder(self) -> QueryEncoder:
        """Gives the vectors and the tokens of queries by one pass through the model."""
        return QueryEncoder(TokenEncoder(self.embedder))

    def verify(self) -> int:
        """Open every part and encode some passages again; return how many.

        The files' hashes are not compared: `load` did that. Raises ReleaseError where the vectors
        in the index, or the token vectors, aren't those of the embedder.
        """
        # Reading BM25 checks it. The passages are spread evenly over the index.
        _ = self.bm25
        rows = np.unique(np.linspace(0, self.manifest.passages - 1, VERIFIED).astype(int))
        texts = passages_of(rows_at(self.chunks, rows))
        cosines = np.einsum("nd,nd->n", self.embedder.encode_passages(texts), self.vectors[rows])
        if cosines.min() < SAME:
            raise self._of_another_model(Dense.part)
        if ByToken.name in self.manifest.rankers:
            tokens = self.encoder.encoder.encode(texts, "passage")[1]
            if self.tokens.likeness(rows, tokens).mean() < SAME_TOKENS:
                raise self._of_another_model(ByToken.part)
        return len(rows)

    def _of_another_model(self, part: str) -> ReleaseError:
        model = self.folder / EMBEDDER
        return ReleaseError(f"{self.folder / part} holds vectors of another model than {model}")

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The passages' vectors as the index keeps them, (passages, dimension)."""
        return self.index.vectors

    @cached_property
    def embedder(self) -> Embedder:
        """The model that queries are encoded by."""
        how = self.device, self.manifest.dimension, self.manifest.precision
        once = self.once
        return self._read(EMBEDDER, lambda folder: Embedder.load(folder, *how, once=once))

    @cached_property
    def index(self) -> VectorIndex:
        """The passages' vectors."""
        return self._read(Dense.part, VectorIndex.load)

    @cached_property
    def tokens(self) -> TokenIndex:
        """The passages' tokens, memory-mapped."""
        index = self._read(ByToken.part, TokenIndex.load)
        if len(index) != self.manifest.passages:
            found, expected = len(index), self.manifest.passages
            raise mismatch(self.folder, ByToken.part, found, expected, "passages")
        return index

    @cached_property
    def bm25(self) -> Bm25:
        """BM25 over the passages."""
        bm25 = self._read(Bm25.part, Bm25.load)
        if bm25.ids != self.chunks["chunk"].to_pylist():
            raise ReleaseError(
                f"{self.folder / Bm25.part} is of other passages than {self.folder / CHUNKS}"
            )
        return bm25

    @cached_property
    def chunks(self) -> pa.Table:
        """The passages' texts, one row each, in the order of the index."""
        table = self._read(CHUNKS, lambda path: read_table(path, chunks.SCHEMA))
        if len(table) != self.manifest.passages:
            raise mismatch(self.folder, CHUNKS, len(table), self.manifest.passages, "passages")
        return table

    @cached_property
    def _ties(self) -> NDArray[np.int64]:
        return tie_order(self.chunks["chunk"].to_pylist())

    @cached_property
    def _metadata(self) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
        """Each distinct set of metadata, and the number of the set that each passage has.

        All passages of a document have the same metadata, so each set is parsed and compared once.
        """
        encoded = self.chunks["metadata"].combine_chunks().dictionary_encode()
        distinct = [json.loads(text) for text in encoded.dictionary.to_pylist()]
        return distinct, encoded.indices.to_numpy()

    def _distinct(self, seen: Rows | None) -> list[dict[str, Any]]:
        """The distinct metadata of the passages `seen` (all)."""
        distinct, owner = self._metadata
        return distinct if seen is None else [distinct[at] for at in np.unique(owner[seen])]

    @cached_property
    def _groups(self) -> list[frozenset[str]]:
        """The groups of each distinct set of metadata."""
        return [groups_of(metadata) for metadata in self._metadata[0]]

    def _read(self, part: str, read: Callable[[Path], T]) -> T:
        """Read a part; ReleaseError where it is not the one that was checked by `load`."""
        try:
            return read(self.folder / part)
        finally:
            # Where reading fails because the part was replaced, this error says so.
            check_again(self.folder, self.manifest, part)

    def _rows(self, filter: Filter, seen: Rows | None) -> Rows:
        """The positions of the passages that a filter lets through, of those that are `seen`."""
        distinct, owner = self._metadata
        known = self.metadata_keys(seen)
        for key in filter:
            if key not in known:
                names = ", ".join(known) or "none"
                raise InputError(f"no document has metadata {key!r}; known are: {names}")
        allowed = np.array([_matches(metadata, filter) for metadata in distinct], dtype=bool)
        rows = np.flatnonzero(allowed[owner])
        return rows if seen is None else np.intersect1d(rows, seen)

    def nothing_fits(self, found: Sequence[Passage]) -> bool:
        """Is even the best of these passages unlikely to answer?

        The release's threshold tells this of one in twenty dev questions, which documents do
        answer. Without probabilities nothing can be said, and this is false.
        """
        calibration = self.manifest.verdict.calibration
        chances = [one.probability for one in found if one.probability is not None]
        return bool(calibration and chances and max(chances) < calibration.least)

    def _probabilities(
        self, fusion: Fusion, hits: Hits, ranked: Mapping[str, Hits]
    ) -> NDArray[np.float64] | None:
        """The probability that each of the passages answers, (queries, k).

        None where it was not measured: by another fusion, or with a cross-encoder after it.
        """
        verdict = self.manifest.verdict
        if self.reranker or verdict.calibration is None or fusion != verdict.fusion:
            return None
        return verdict.calibration.of(hits, ranked)

    def _passages(
        self,
        row: int,
        hits: Hits,
        ranked: Mapping[str, Hits],
        chances: NDArray[np.float64] | None,
    ) -> list[Passage]:
        """The passages that were found for the query number `row`, best first."""
        positions = hits.positions[row][hits.positions[row] != MISSING]
        ranks = {name: _ranks(found.positions[row]) for name, found in ranked.items()}
        table = rows_at(self.chunks, positions).to_pylist()
        metadata = [json.loads(chunk["metadata"]) for chunk in table]
        return [
            Passage(
                id=chunk["chunk"],
                text=chunk["text"],
                document=chunk["document"],
                title=chunk["title"],
                heading=chunk["heading"],
                start=chunk["start"],
                end=chunk["end"],
                metadata=metadata[place],
                score=float(hits.scores[row, place]),
                rank=place + 1,
                ranks={name: own[at] for name, own in ranks.items() if at in own},
                probability=None if chances is None else round(float(chances[row, place]), 4),
                url=address(chunk["document"], metadata[place], self.manifest.url, chunk["page"]),
                page=chunk["page"],
                page_name=page_name(chunk["document"], chunk["page"]),
            )
            for place, (at, chunk) in enumerate(zip(positions.tolist(), table, strict=True))
        ]


def _reranked(reranker: Reranker, query: str, found: Sequence[Passage]) -> list[Passage]:
    """The RERANKED best passages by (the cross-encoder's score, id), then the others.

    The others' scores are lowered to the least score before them.
    """
    read, others = found[:RERANKED], found[RERANKED:]
    scores = reranker.scores(query, [passage(one.heading, one.text) for one in read])
    best = sorted(zip(scores, read, strict=True), key=lambda pair: (-pair[0], pair[1].id))
    ranked = [replace(one, score=score) for score, one in best]
    least = min(scores, default=0.0)
    ranked += [replace(one, score=min(one.score, least)) for one in others]
    return [replace(one, rank=rank) for rank, one in enumerate(ranked, start=1)]


def _check(queries: Sequence[str], k: int, filter: Filter) -> None:
    """Raise InputError for what is no search: a caller's mistake, told in one line."""
    for query in queries:
        if not isinstance(query, str):
            raise InputError(f"a query must be a text, got {query!r}")
    try:
        index(k)
    except TypeError:
        raise InputError(f"k must be a whole number, got {k!r}") from None
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    for key, value in filter.items():
        if not isinstance(value, str | int | float | None):
            expected = "a text, a number or true or false"
            raise InputError(f"filter: {key!r} must be {expected}, got {value!r}")


def _matches(metadata: Mapping[str, Any], filter: Filter) -> bool:
    return all(_holds(metadata.get(key), wanted) for key, wanted in filter.items())


def _holds(value: Any, wanted: Any) -> bool:
    """Is `wanted` the value, or one of a list? A text such as "3" is equal to the number 3."""
    values = _listed(value)
    return any(one == wanted or (one is not None and str(one) == str(wanted)) for one in values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _ranks(positions: NDArray[np.int32]) -> dict[int, int]:
    """The rank of each passage, from 1, by its position in the corpus."""
    return {at: rank for rank, at in enumerate(positions.tolist(), start=1) if at != MISSING}
