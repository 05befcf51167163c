"""The ranker by tokens: MaxSim, each token of the question weighed by its rarity.

A passage's score is the mean, over the question's tokens, of each one's cosine with the passage's
nearest token (Khattab and Zaharia, arXiv 2004.12832). The fewer passages hold a token, the more it
weighs (arXiv 2511.16106). Codes are multiplied as whole numbers, whose sums need no rounding: any
number of threads gives the same scores.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from argot.core.parquet import read_array
from argot.encoding.store.tokens import (
    ZERO,
    Codes,
    Tokens,
    check_ids,
    load_arrays,
    restored,
    save_arrays,
    unpack,
    vectors_of,
)
from argot.encoding.store.vectors import save_array
from argot.errors import InputError
from argot.ranking.hits import MISSING

if TYPE_CHECKING:
    from argot.ranking.hits import Rows

# The ids of the tokens that each passage holds, once each, and where each passage's end.
HELD, ENDS = "held.npy", "ends.npy"
# For so many questions torch saves more time than its import takes.
MANY = 256


class ByToken:
    """Ranks candidates by the token vectors of question and passage."""

    name = "tokens"
    part = "tokens"

    def __init__(self, index: TokenIndex, encode: Callable[[Sequence[str]], Tokens]) -> None:
        self.index = index
        self.encode = encode

    def score(self, queries: Sequence[str], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """The weighted MaxSim of each query and its candidates."""
        return self.index.score(self.encode(queries), candidates)

    def among(self, rows: Rows) -> ByToken:
        """The ranker for somebody who may see the passages at `rows` alone.

        Rarity is counted over these alone: over all passages, scores would tell of hidden ones.
        """
        return ByToken(self.index.among(rows), self.encode)

    def save(self, path: Path) -> None:
        """Write the passages' tokens; the model that encodes queries is a part of its own."""
        self.index.save(path)


class TokenIndex:
    """Passages' token vectors, and the ids of the tokens that each passage holds."""

    def __init__(
        self,
        codes: Codes,
        scales: NDArray[np.float32],
        offsets: NDArray[np.int64],
        held: NDArray[np.int32],
        ends: NDArray[np.int64],
    ) -> None:
        if codes.dtype != np.uint8:
            raise InputError("an index of tokens is made of passages; these are of questions")
        self.codes = codes
        self.scales = scales
        self.offsets = offsets
        self.held = held
        self.ends = ends
        self.rarity = rarity(held, len(ends) - 1)

    @classmethod
    def build(cls, passages: Tokens) -> TokenIndex:
        """Index the tokens of passages, one text a passage."""
        held = [np.unique(ids) for ids in passages.ids]
        ends = np.cumsum([0, *map(len, held)], dtype=np.int64)
        ids = np.concatenate(held) if held else np.zeros(0, dtype=np.int32)
        return cls(passages.codes, passages.scales, passages.offsets, ids, ends)

    def among(self, rows: Rows) -> TokenIndex:
        """The same index, with the rarity that tokens have in the passages at `rows`."""
        own = copy.copy(self)
        own.rarity = rarity(self.held[vectors_of(self.ends, rows)[0]], len(rows))
        return own

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def dimension(self) -> int:
        """Of each vector."""
        return 2 * int(self.codes.shape[1])

    def vectors(self, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The unit vectors of the passages at `rows`, and where each passage's end among them."""
        at, ends = vectors_of(self.offsets, rows)
        return restored(self.codes[at], self.scales[at]), ends

    def likeness(self, rows: Rows, encoded: Tokens) -> NDArray[np.float32]:
        """How near passages encoded again are to those at `rows`, (passages,): 1 is the same.

        The mean, over the vectors encoded again, of each one's cosine with the nearest vector here.
        """
        vectors, ends = self.vectors(rows)
        parts = np.split(vectors, ends[:-1])
        nearest = [(encoded.vectors(row) @ part.T).max(axis=1) for row, part in enumerate(parts)]
        return np.array([cosines.mean() for cosines in nearest], dtype=np.float32)

    def score(self, queries: Tokens, candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """The score of each query's own candidates, (queries, candidates); -inf for MISSING.

        Raises InputError where another model made the tokens of the queries.
        """
        if len(queries) and queries.codes.shape[1] != self.dimension:
            raise InputError(
                f"tokens of {queries.codes.shape[1]} dimensions can't search tokens of "
                f"{self.dimension}: another model made them"
            )
        if len(queries) >= MANY:
            import torch  # noqa: F401  `multiplied` takes it where it is there
        scores = np.full(candidates.shape, -np.inf, dtype=np.float32)
        for row, places in enumerate(candidates):
            found = places != MISSING
            if found.any():
                scores[row, found] = self.scores(queries, row, places[found])
        return scores

    def scores(self, queries: Tokens, row: int, passages: NDArray[np.int32]) -> NDArray[np.float32]:
        """Of `passages`, (passages,), for the query in `row`: weighted means of cosines."""
        at, ends = vectors_of(self.offsets, passages.astype(np.int64))
        own = slice(queries.offsets[row], queries.offsets[row + 1])
        asked = queries.codes[own].T
        # Packed codes are ZERO too large; the products make up for it.
        products = asked.sum(axis=0, dtype=np.int32) * np.int32(-ZERO)
        for codes, part in zip(unpack(self.codes[at]), np.split(asked, 2), strict=True):
            products = products + multiplied(codes, part)
        cosines = products.astype(np.float32) * self.scales[at, None]
        nearest = np.maximum.reduceat(cosines, np.append(0, ends[:-1]), axis=0)
        weights = shares(self.rarity, queries.ids[row]) * queries.scales[own]
        return np.asarray((nearest * weights).sum(axis=1), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write plain arrays: nothing in them can run code."""
        folder.mkdir(parents=True, exist_ok=True)
        save_arrays(folder, self.codes, self.scales, self.offsets)
        save_array(folder / HELD, self.held)
        save_array(folder / ENDS, self.ends)

    @classmethod
    def load(cls, folder: Path) -> TokenIndex:
        """Memory-map what `save` wrote; InputError where a part is missing or damaged."""
        codes, scales, offsets = load_arrays(folder)
        held = read_array(folder / HELD, ["int32"], 1)
        ends = read_array(folder / ENDS, ["int64"], 1)
        whole = len(ends) == len(offsets) and ends[0] == 0 and ends[-1] == len(held)
        if not whole or (np.diff(ends) < 0).any():
            raise InputError(f"{folder}: {HELD} and {ENDS} don't belong together; run `dvc repro`")
        check_ids(folder / HELD, held)
        return cls(codes, scales, offsets, held, ends)


def multiplied(left: NDArray[np.int8], right: NDArray[np.int8]) -> NDArray[np.int32]:
    """The product of packed codes, (n, d), and those of a question, (d, m): exact.

    torch multiplies bytes. Without it floats do, which hold such sums exactly: of fewer than 8,800
    terms they are below 2**24.
    """
    if torch := sys.modules.get("torch"):
        whole = torch.from_numpy(np.ascontiguousarray(right))
        return np.asarray(torch._int_mm(torch.from_numpy(left), whole))
    product = left.astype(np.float32) @ right.astype(np.float32)
    return product.astype(np.int32)


def rarity(held: NDArray[np.int32], passages: int) -> NDArray[np.float32]:
    """The weight of each token by its id, and last, that of a token that no passage holds.

    `held` are the ids that the passages hold, once for each passage. The weight is the square root
    of BM25's idf, in Lucene's variant: the root, so that one rare token doesn't drown a long
    question's others (docs/LOG.md).
    """
    holding = np.append(np.bincount(held), 0)
    idf = np.log1p((passages - holding + 0.5) / (holding + 0.5))
    return np.sqrt(idf).astype(np.float32)


def shares(rarity: NDArray[np.float32], ids: NDArray[np.int32]) -> NDArray[np.float64]:
    """What each token of a question weighs, by its rarity: (tokens,), together 1."""
    # A token that no passage holds has the last weight.
    weights = rarity[np.minimum(ids, len(rarity) - 1)].astype(np.float64)
    return np.asarray(weights / weights.sum())
