"""Tokens rank again what other rankers found: MaxSim, a question's tokens weighed by rarity.

A passage's score is the mean, over the question's tokens, of each one's cosine with the passage's
nearest token (Khattab and Zaharia, arXiv 2004.12832). The fewer passages hold a token, the more it
weighs (arXiv 2511.16106). Codes are multiplied as whole numbers, whose sums need no rounding: any
number of threads gives the same scores.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from argot.encoding.tokens import (
    ZERO,
    Codes,
    Tokens,
    load_array,
    load_arrays,
    save_arrays,
    unpack,
    vectors_of,
)
from argot.errors import InputError
from argot.search.hits import MISSING, Hits

RARITY = "rarity.npy"


class TokenIndex:
    """Passages' token vectors, and the rarity of each token by its id."""

    name = "tokens"

    def __init__(
        self,
        codes: Codes,
        scales: NDArray[np.float32],
        offsets: NDArray[np.int64],
        rarity: NDArray[np.float32],
    ) -> None:
        if codes.dtype != np.uint8:
            raise InputError("an index of tokens is made of passages; these are of questions")
        self.codes = codes
        self.scales = scales
        self.offsets = offsets
        self.rarity = rarity

    @classmethod
    def build(cls, passages: Tokens, vocabulary: int) -> TokenIndex:
        """Index the tokens of passages, one text a passage; the model knows `vocabulary` ids."""
        weights = rarity(passages.ids, vocabulary)
        return cls(passages.codes, passages.scales, passages.offsets, weights)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def dimension(self) -> int:
        """Of each vector."""
        return 2 * int(self.codes.shape[1])

    def search(
        self, queries: Tokens, k: int, candidates: NDArray[np.int32], ties: NDArray[np.int64]
    ) -> Hits:
        """The k best of each query's own candidates, by (score, tie order).

        `candidates` (queries, candidates) are positions of passages, none twice; MISSING where a
        query has fewer. Raises InputError where another model made the tokens of the queries.
        """
        if queries.codes.shape[1] != self.dimension:
            raise InputError(
                f"tokens of {queries.codes.shape[1]} dimensions can't search tokens of "
                f"{self.dimension}: another model made them"
            )
        scores = np.full(candidates.shape, -np.inf, dtype=np.float32)
        for row, places in enumerate(candidates):
            found = places != MISSING
            if found.any():
                scores[row, found] = self.scores(queries, row, places[found])
        order = np.lexsort((ties[candidates], -scores), axis=1)[:, :k]
        return Hits(
            np.take_along_axis(candidates, order, axis=1), np.take_along_axis(scores, order, axis=1)
        )

    def scores(self, queries: Tokens, row: int, passages: NDArray[np.int32]) -> NDArray[np.float32]:
        """Of `passages`, (passages,), for the query in `row`: weighted means of cosines."""
        import torch

        at, ends = vectors_of(self.offsets, passages.astype(np.int64))
        own = slice(queries.offsets[row], queries.offsets[row + 1])
        asked = queries.codes[own].T
        # Packed codes are ZERO too large; the products make up for it.
        products = torch.from_numpy(asked.sum(axis=0, dtype=np.int32) * np.int32(-ZERO))
        for codes, part in zip(unpack(self.codes[at]), np.split(asked, 2), strict=True):
            right = torch.from_numpy(np.ascontiguousarray(part))
            products = products + torch._int_mm(torch.from_numpy(codes), right)
        cosines = products.float().numpy() * self.scales[at, None]
        nearest = np.maximum.reduceat(cosines, np.append(0, ends[:-1]), axis=0)
        weights = self.rarity[queries.ids[row]].astype(np.float64)
        shares = weights / weights.sum() * queries.scales[own]
        return np.asarray((nearest * shares).sum(axis=1), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write plain arrays: nothing in them can run code."""
        folder.mkdir(parents=True, exist_ok=True)
        save_arrays(folder, self.codes, self.scales, self.offsets)
        np.save(folder / RARITY, self.rarity, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> TokenIndex:
        """Memory-map what `save` wrote; InputError where a part is missing or damaged."""
        return cls(*load_arrays(folder), load_array(folder / RARITY, ["float32"], 1))


def rarity(passages: list[NDArray[np.int32]], vocabulary: int) -> NDArray[np.float32]:
    """The weight of each token, (vocabulary,): the square root of BM25's idf, in Lucene's variant.

    The root, so that one rare token doesn't drown a long question's others (docs/LOG.md).
    """
    held = np.zeros(vocabulary, dtype=np.int64)
    for ids in passages:
        held[np.unique(ids)] += 1
    idf = np.log1p((len(passages) - held + 0.5) / (held + 0.5))
    return np.sqrt(idf).astype(np.float32)
