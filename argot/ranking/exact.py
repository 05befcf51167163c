"""Sums that are the same to the last bit on every machine, whatever order its BLAS adds them in.

A float64 holds 53 bits. If all terms are multiples of one power of two, and no partial sum needs
more than 53 bits, nothing is rounded, and so the order of the terms changes nothing (the
pre-rounding of Demmel and Nguyen, "Fast Reproducible Floating-Point Summation", 2013).

Exact sums are slow. So a fast product finds what may be among the nearest of a query (`Near`), and
only that is scored exactly. The product may round as it likes: in bfloat16 it is seven times as
fast on processors that multiply in it, and finds half as much again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
Places = NDArray[np.int64]
Found = tuple[Places, Places, Vectors]  # row, place and score of some pairs
NOTHING: Found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
# Products are made in tiles of BLOCK scores, 8 MiB, which a processor's cache holds, of at most so
# many queries: the more of them, the less often each passage is read from memory.
BLOCK, QUERIES = 1 << 21, 512
COPIED = 1 << 14  # passages that are rounded at a time
# From this many multiplications on, bfloat16 saves more time than importing torch costs.
HEAVY = 1 << 38
# Two scores in bfloat16, which has 8 bits, are wrong by 1 / 2**8 of themselves each; and a little.
COARSE = np.float32(1 / 120)

# Components of vectors are rounded to multiples of this: a product of two is then a multiple of
# 2**-52, and so is every sum of them, which is at most 1 for vectors of length 1.
GRID = np.float32(2**-26)


def on_grid(vectors: Vectors) -> Vectors:
    """Normalised vectors rounded to the GRID, which moves a component by less than 1e-8."""
    rounded = vectors / GRID
    # In place: a corpus' vectors may take a good part of the memory.
    np.rint(rounded, out=rounded)
    rounded *= GRID
    return np.asarray(rounded)


def inner_products(vector: Vectors, others: Vectors) -> Vectors:
    """Inner products, (n,), of `vector` (d,) and each of `others` (n, d), all `on_grid`: exact."""
    return np.asarray(others.astype(np.float64) @ vector.astype(np.float64), dtype=np.float32)


def slack(dimension: int) -> np.float32:
    """How far two passages' float32 products with a query may be from their true distance.

    A float32 sum of d terms is wrong by at most d / 2**24, in whichever order it is made (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, 3.1); 64 more are for other roundings.
    """
    return np.float32((dimension + 64) / 2**23)


def summable(values: Floats, terms: int) -> Floats:
    """`values` rounded so that float64 sums of any `terms` of them, with repeats, are exact.

    What is lost is what any sum of so many values may lose to rounding.
    """
    most = float(np.abs(values).max(initial=0)) * terms
    unit = 2.0 ** (np.ceil(np.log2(most)) - 52) if most > 0 else 1.0
    return np.asarray(np.rint(values / unit) * unit)


class Near:
    """Passages' vectors, (passages, d), of length 1, in the form that products are made of."""

    def __init__(self, vectors: Vectors, queries: int) -> None:
        """`queries` is how many will be asked in all, which decides how products are made."""
        self.vectors = vectors
        self._coarse = None
        if queries * vectors.size >= HEAVY and _has_bfloat16():
            self._coarse = _rounded(vectors)

    def find(self, queries: Vectors, k: int) -> tuple[Places, Places]:
        """Row and place of each passage that may be among a query's `k` nearest, in that order.

        `queries`, (queries, d), should be no more than QUERIES.
        """
        k = min(k, len(self.vectors))
        score, below = self._product(queries)
        bits, floats = (_bits, _floats) if self._coarse else (np.asarray, np.asarray)
        step = max(k, BLOCK // max(1, len(queries)))
        starts = range(0, len(self.vectors), step)
        least, parts = np.empty(0, np.float32), [NOTHING]
        for number, start in enumerate(starts):
            scores = score(slice(start, start + step))
            if number == 0:
                least = below(floats(np.partition(scores, -k, axis=1)[:, -k]))
            high = np.flatnonzero(scores >= bits(least)[:, None])
            row, column = np.divmod(high, scores.shape[1])
            parts.append((row, column + start, floats(scores[row, column])))
            # The more was seen, the higher is the k-th: after 1, 2, 4 ... tiles it is taken again.
            if number & (number + 1) == 0 or number + 1 == len(starts):
                row, place, value = _sorted(parts)
                least = below(by_row(row, value)[:, k - 1])
                kept = value >= least[row]
                parts = [(row[kept], place[kept], value[kept])]
        row, place, _ = parts[0]
        return row, place

    def _product(
        self, queries: Vectors
    ) -> tuple[Callable[[slice], NDArray[Any]], Callable[[Vectors], Vectors]]:
        """Two functions: the scores of some passages, and what a score as good may come out as.

        In bfloat16 scores are given as their bits.
        """
        error = slack(queries.shape[1])
        if self._coarse is None:
            return lambda part: queries @ self.vectors[part].T, lambda least: least - error
        from torch import int16

        passages, lost = self._coarse
        asked, lost_too = _rounded(queries)
        # The product of x and y is wrong by |x - x'| |y| + |x'| |y - y'| at most (Cauchy, Schwarz).
        error += np.float32(2.02 * (lost + lost_too))

        def score(part: slice) -> NDArray[np.int16]:
            return np.asarray((asked @ passages[part].T).view(int16).numpy())

        return score, lambda least: least - error - COARSE * (np.abs(least) + error)


def _sorted(parts: list[Found]) -> Found:
    """All parts as one, row by row."""
    row, place, value = map(np.concatenate, zip(*parts, strict=True))
    order = np.argsort(row, kind="stable")
    return row[order], place[order], value[order]


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let each product run in the thread that asks for it, where several threads do."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1
    try:
        if torch:
            torch.set_num_threads(1)
        with threadpool_limits(1, "blas"):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)


def by_row(row: Places, value: Vectors) -> Vectors:
    """The values of each row, best first; -inf where a row has fewer than another."""
    counts = np.bincount(row)
    first = np.cumsum(counts) - counts
    wide = np.full((len(counts), counts.max(initial=0)), np.inf, np.float32)
    wide[row, np.arange(len(row)) - first[row]] = -value
    wide.sort(axis=1)
    return -wide


def _rounded(vectors: Vectors) -> tuple[torch.Tensor, float]:
    """The vectors in bfloat16, and the length of what the one that lost most has lost."""
    import torch

    rounded, lost = torch.empty(vectors.shape, dtype=torch.bfloat16), 0.0
    for start in range(0, len(vectors), COPIED):
        part = slice(start, start + COPIED)
        whole = torch.tensor(vectors[part])
        rounded[part] = whole
        lost = max(lost, float((whole - rounded[part].float()).norm(dim=1).max()))
    return rounded, lost


def _bits(values: Vectors) -> NDArray[np.int16]:
    """The upper halves of floats, which are bfloat16; of what is not above 0, the least number.

    As whole numbers they have the order of what is above 0, and all others are below it.
    """
    least = np.iinfo(np.int16).min
    return np.where(values > 0, values.view(np.int32) >> 16, least).astype(np.int16)


def _floats(bits: NDArray[np.int16]) -> Vectors:
    """The floats of such bits."""
    return (bits.astype(np.int32) << 16).view(np.float32)


def _has_bfloat16() -> bool:
    """Does this processor multiply in bfloat16?"""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported())
