"""How sure a difference is: intervals of paired differences whose queries come in clusters, such as documents.

Questions about one document succeed or fail together, so the document, not the question, is what is resampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argot.core.exact import summable

Floats = NDArray[np.float64]

LEVEL = 0.95
# Resampled at once: 4 Mi weights.
BLOCK = 1 << 22
# Below this a standard error is rounding, not chance.
TINY = 1e-9


@dataclass(frozen=True)
class Intervals:
    """Mean differences and their intervals (95 %, or as asked), all of the shape (..., comparisons).

    `low` and `high` hold for one comparison alone, `joint_low` and `joint_high` for all comparisons of the last axis at
    once: the chance that any of them misses is 5 % in all.
    """

    mean: Floats
    low: Floats
    high: Floats
    joint_low: Floats
    joint_high: Floats


def paired(
    differences: Floats, clusters: NDArray[np.int64], samples: int, seed: int, level: float = LEVEL
) -> Intervals:
    """Intervals of the mean over queries of `differences` (queries, ..., comparisons), by a clustered bootstrap.

    Clusters are drawn with replacement; the interval is symmetric and studentised by the cluster-robust standard error
    (Hall 1988; Cameron, Gelbach and Miller 2008), jointly by the largest rank of |t| (Beran 1988). Of percentile,
    BCa, equal-tailed and symmetric bootstrap-t, the last keeps its 95 % from 20 clusters on: see the test.
    Differences are of metrics in [0, 1], so that the interval ends at -1 and 1.
    """
    shape = differences.shape[1:]
    flat = differences.reshape(len(differences), math.prod(shape))
    _, cluster = np.unique(clusters, return_inverse=True)
    count = int(cluster.max(initial=-1)) + 1
    if count < 2:
        mean = flat.mean(axis=0).reshape(shape) if count else np.zeros(shape)
        return Intervals(mean, *(np.full(shape, end) for end in (-1.0, 1.0, -1.0, 1.0)))
    sizes = np.bincount(cluster).astype(np.float64)
    sums = np.stack([np.bincount(cluster, column) for column in flat.T], axis=1)
    mean = flat.mean(axis=0)
    excess = sums - sizes[:, None] * mean
    error = np.sqrt(count / (count - 1) * (excess**2).sum(axis=0)) / len(flat)
    t = np.abs(_studentised(excess, sizes, samples, seed))
    ordered = np.sort(t, axis=0)
    alone = ordered[min(math.ceil(level * samples), samples - 1)]
    joint = np.take_along_axis(ordered, _joint_ranks(t, ordered, shape, level)[None], axis=0)[0]
    ends = [mean + sign * _reach(value, error) for value in (alone, joint) for sign in (-1, 1)]
    return Intervals(mean.reshape(shape), *(np.clip(end, -1.0, 1.0).reshape(shape) for end in ends))


def _joint_ranks(
    t: Floats, ordered: Floats, shape: tuple[int, ...], level: float
) -> NDArray[np.int64]:
    """The rank, for each comparison, within its own distribution, that all of the last axis stay below at `level`.

    Ranks, not values, so that one comparison without evidence (an infinite t) doesn't blow up the others (Beran 1988).
    """
    columns = zip(ordered.T, t.T, strict=True)
    ranks = np.stack([np.searchsorted(known, values) for known, values in columns], axis=1).reshape(
        len(t), *shape
    )
    largest = np.sort(ranks.max(axis=-1, keepdims=True), axis=0)[
        min(math.ceil(level * len(t)), len(t) - 1)
    ]
    return np.broadcast_to(largest, shape).reshape(-1).astype(np.int64)


def _studentised(excess: Floats, sizes: Floats, samples: int, seed: int) -> Floats:
    """The bootstrap's t of each sample, (samples, comparisons), from clusters' sums of differences less the mean."""
    rng = np.random.default_rng(seed)
    count, step = len(sizes), max(1, BLOCK // len(sizes))
    rows = [_resampled(rng, min(step, samples - at), count) for at in range(0, samples, step)]
    excess = summable(excess, count)
    square = summable(excess**2, count)
    product = summable(excess * sizes[:, None], count)
    return np.concatenate([_t(weights, excess, square, product, sizes) for weights in rows])


def _resampled(rng: np.random.Generator, samples: int, count: int) -> Floats:
    drawn = rng.integers(count, size=(samples, count)) + np.arange(samples)[:, None] * count
    return (
        np.bincount(drawn.ravel(), minlength=samples * count)
        .reshape(samples, count)
        .astype(np.float64)
    )


def _t(weights: Floats, excess: Floats, square: Floats, product: Floats, sizes: Floats) -> Floats:
    """The t of samples by clusters' excess, its square, and its product with their sizes."""
    total = (weights @ sizes)[:, None]
    shift = (weights @ excess) / total
    squares = weights @ square - 2 * shift * (weights @ product)
    squares += shift**2 * (weights @ sizes**2)[:, None]
    error = np.sqrt(np.maximum(squares, 0.0) * len(sizes) / (len(sizes) - 1)) / total
    # A sample without any spread, yet another mean, tells nothing about the error: as far off as can be.
    t = np.where(np.abs(shift) > TINY, np.inf, 0.0)
    return np.divide(shift, error, out=t, where=error > TINY)


def _reach(t: Floats, error: Floats) -> Floats:
    return np.where(error > TINY, t, 0.0) * error
