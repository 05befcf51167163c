"""The ranker by meaning: passages whose vectors are nearest to the query's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from argot.encoding.store.vectors import save_array
from argot.ranking.exact import inner_products, on_grid
from argot.ranking.hits import MISSING, Hits, search_exact

if TYPE_CHECKING:
    from argot.ranking.hits import Rows

Vectors = NDArray[np.float32]


class Nearest(Protocol):
    """Passages' vectors in any form that can be searched: Exact, or VectorIndex of FAISS.

    `search` finds the k vectors nearest to each query's, by (score, tie order).
    """

    def search(
        self, queries: Vectors, k: int, ties: NDArray[np.int64], rows: Rows | None = None
    ) -> Hits: ...

    def some(self, rows: Rows) -> Vectors:
        """The vectors of the passages at these positions."""
        ...

    def save(self, path: Path) -> None: ...


class Dense:
    """Ranks by the inner product of vectors of length 1, their cosine."""

    name = "dense"
    part = "index.faiss"

    def __init__(
        self,
        passages: Nearest,
        encode: Callable[[Sequence[str]], Vectors],
        ties: NDArray[np.int64],
    ) -> None:
        self.passages = passages
        self.encode = encode
        self.ties = ties

    def search(self, queries: Sequence[str], k: int, rows: Rows | None = None) -> Hits:
        """The k passages nearest to each query, among `rows` where they are given.

        Every passage has a distance to the query, so that none is MISSING.
        """
        return self.passages.search(self.encode(queries), k, self.ties, rows)

    def score(self, queries: Sequence[str], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """The cosine of each query and its candidates."""
        scores = np.full(candidates.shape, -np.inf, dtype=np.float32)
        for row, (vector, places) in enumerate(zip(self.encode(queries), candidates, strict=True)):
            found = places != MISSING
            near = self.passages.some(places[found].astype(np.int64))
            scores[row, found] = inner_products(on_grid(vector), on_grid(near))
        return scores

    def save(self, path: Path) -> None:
        """Write the passages' vectors; the model that encodes queries is a part of its own."""
        self.passages.save(path)


class Exact:
    """Passages' vectors as they are, (passages, dimension); an index is measured against them."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors

    def search(
        self, queries: Vectors, k: int, ties: NDArray[np.int64], rows: Rows | None = None
    ) -> Hits:
        """The k nearest passages to each query, among `rows` where they are given."""
        if rows is None:
            return search_exact(queries, self.vectors, k, ties)
        # Only the vectors of those rows are compared, and the positions are turned back.
        return among(rows, search_exact(queries, self.vectors[rows], k, ties[rows]))

    def some(self, rows: Rows) -> Vectors:
        """The vectors of the passages at these positions."""
        return self.vectors[rows]

    def save(self, path: Path) -> None:
        """Write the vectors as a numpy array."""
        save_array(path, self.vectors)


def among(rows: Rows, hits: Hits) -> Hits:
    """Hits among some rows, turned into positions in the whole corpus.

    `rows` are positions in the corpus, and `hits` has positions in `rows`: hit 1 of rows 4, 7 is 7.
    """
    # No row lets no hit through, and there is nothing to look up a position in.
    if not len(rows):
        return hits
    positions = np.where(hits.positions == MISSING, MISSING, rows[hits.positions])
    return Hits(positions.astype(np.int32), hits.scores)
