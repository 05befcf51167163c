"""Sums that are the same to the last bit on every machine, whatever order its BLAS adds them in.

A float64 holds 53 bits. If all terms are multiples of one power of two, and no partial sum needs
more than 53 bits, nothing is rounded, and so the order of the terms changes nothing (the
pre-rounding of Demmel and Nguyen, "Fast Reproducible Floating-Point Summation", 2013).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]

# Components of vectors are rounded to multiples of this: a product of two is then a multiple of
# 2**-52, and so is every sum of them, which is at most 1 for vectors of length 1.
GRID = np.float32(2**-26)


def on_grid(vectors: Vectors) -> Vectors:
    """Normalised vectors rounded to the GRID, which moves a component by less than 1e-8."""
    return np.asarray(np.rint(vectors / GRID) * GRID)


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
