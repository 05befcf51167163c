"""Tokens rank again what other rankers found: MaxSim, each token of the question weighed by its rarity.

A passage's score is the mean, over the question's tokens, of each one's cosine with the token of the passage that is
nearest to it (Khattab and Zaharia, arXiv 2004.12832), weighed by how few passages hold that token (arXiv 2511.16106).
Codes of 8 bits are multiplied as whole numbers, which nothing rounds: any number of threads gives the same scores.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from argot.encoding.tokens import Tokens, load_array, load_arrays, save_arrays, vectors_of
from argot.errors import InputError
from argot.search.hits import MISSING, Hits

RARITY = "rarity.npy"


class TokenIndex:
    """Passages by their token vectors, and the rarity of each token, by its id; memory-mapped where it was loaded."""

    name = "tokens"

    def __init__(
        self,
        codes: NDArray[np.int8],
        scales: NDArray[np.float32],
        offsets: NDArray[np.int64],
        rarity: NDArray[np.float32],
    ) -> None:
        self.codes = codes
        self.scales = scales
        self.offsets = offsets
        self.rarity = rarity

    @classmethod
    def build(cls, passages: Tokens, vocabulary: int) -> TokenIndex:
        """Index the tokens of passages, one text a passage; `vocabulary` is the number of ids that the model knows."""
        codes, scales, offsets = passages.codes, passages.scales, passages.offsets
        return cls(codes, scales, offsets, rarity(passages.ids, vocabulary))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def dimension(self) -> int:
        """Of each vector."""
        return int(self.codes.shape[1])

    def search(
        self, queries: Tokens, k: int, candidates: NDArray[np.int32], ties: NDArray[np.int64]
    ) -> Hits:
        """The k best of each query's own candidates, by (score, tie order).

        `candidates` (queries, candidates) are positions of passages, MISSING where a query has fewer; none twice.
        """
        if queries.codes.shape[1] != self.dimension:
            raise InputError(
                f"tokens of {queries.codes.shape[1]} dimensions can't search those of {self.dimension}: "
                "another model made them"
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
        """The score of each of `passages`, (passages,), for the query in `row`: a weighted mean of cosines."""
        import torch

        at, ends = vectors_of(self.offsets, passages.astype(np.int64))
        own = slice(queries.offsets[row], queries.offsets[row + 1])
        asked = torch.from_numpy(np.ascontiguousarray(queries.codes[own].T))
        # Whole numbers of 32 bits hold such products up to 133,000 dimensions.
        products = torch._int_mm(torch.from_numpy(self.codes[at]), asked).float().numpy()
        products *= self.scales[at, None]
        nearest = np.maximum.reduceat(products, np.append(0, ends[:-1]), axis=0)
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
        return cls(*load_arrays(folder), load_array(folder / RARITY, "float32", 1))


def rarity(passages: list[NDArray[np.int32]], vocabulary: int) -> NDArray[np.float32]:
    """The weight of each token, (vocabulary,), by how many of the passages hold it: BM25's idf, Lucene's variant."""
    held = np.zeros(vocabulary, dtype=np.int64)
    for ids in passages:
        held[np.unique(ids)] += 1
    return np.log1p((len(passages) - held + 0.5) / (held + 0.5)).astype(np.float32)
