"""Confidence intervals of paired differences, where queries share documents, and their power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Clusters = NDArray[np.int64]

LEVEL = 0.95
# The usual power of a planned test: it misses one real gain in five.
POWER = 0.8
# With fewer effective documents than this, no standard error can be estimated.
FEWEST = 2.0


@dataclass(frozen=True)
class Intervals:
    """Mean differences and their intervals, all of the shape (..., comparisons).

    `low` and `high` hold for one comparison alone: at a level of 95 %, the chance that the interval
    misses the true mean is 5 %. `joint_low` and `joint_high` hold for all comparisons of the last
    axis at once: the chance that any of them misses is at most 5 % in all.
    """

    mean: Floats
    error: Floats  # the standard error of the mean; 1 where it can't be estimated
    low: Floats
    high: Floats
    joint_low: Floats
    joint_high: Floats


def paired(differences: Floats, clusters: Clusters, level: float = LEVEL) -> Intervals:
    """Intervals of the mean over queries of `differences` (queries, ..., comparisons).

    `clusters` holds the documents that each query asks about, by number: (queries,), or (queries,
    most) where a query may ask about several; one with fewer repeats a number. Questions about one
    document fail together: if the model reads a document badly, all its questions suffer. Ten
    questions about one document are therefore less evidence than ten questions about ten.

    The formula, for one comparison. Queries of the same documents are a cell; two cells are related
    if they share a document. Cell c has n_c of the n queries, and b_c of the n are in related
    cells; m is the mean of all differences; e_c is the sum of the differences in c, less n_c m.

        x_c       = e_c / (1 - b_c / n)
        error     = sqrt(sum of x_c x_d over all related c and d, c = d included) / n
        interval  = m ± t * error      where t is the quantile of Student's t at G - 1 degrees of
                                       freedom, for G effective documents

    The differences are of metrics in [0, 1], so the ends are cut at -1 and 1. With fewer than two
    effective documents nothing is known: the interval is -1 to 1.

    Where each query has one document, the error is that of the jackknife over documents (CR3: Bell
    and McCaffrey 2002; MacKinnon, Nielsen and Webb 2023). The sum over related cells is the dyadic
    one of Fafchamps and Gubert (2007). By chance it can be negative, as every sum over clusters
    that overlap (Cameron, Gelbach and Miller 2011): it is never taken below the sum of e_c². The
    joint intervals are by Šidák (1967), which holds whatever the correlations.

    `python -m benchmarks.coverage` compares this with the other methods; docs/concepts.md has the
    table.
    """
    shape = differences.shape[1:]
    flat = differences.reshape(len(differences), math.prod(shape))
    mean = flat.mean(axis=0) if len(flat) else np.zeros(flat.shape[1])
    cells = Cells.of(clusters)
    error = cells.standard_error(flat - mean)
    reach = error * cells.quantile(level)
    joint_reach = error * cells.quantile(level ** (1 / shape[-1]))

    def end(distance: Floats) -> Floats:
        return np.asarray(np.clip(mean + distance, -1.0, 1.0).reshape(shape))

    ends = (end(-reach), end(reach), end(-joint_reach), end(joint_reach))
    return Intervals(mean.reshape(shape), error.reshape(shape), *ends)


def effective_documents(clusters: Clusters) -> float:
    """The number of documents, with equally many queries each, that would tell as much.

    That is n² over the number of pairs of queries that share a document, each query's pair with
    itself included. With one document a query it is (sum of n_c)² / sum of n_c² (Kish 1965; the
    effective number of clusters of Carter, Schnepel and Steigerwald 2017 is this one where queries
    of a document are independent). `clusters` is that of `paired`.
    """
    return Cells.of(clusters).documents


def provable(error: float, documents: float, level: float = LEVEL) -> float:
    """The smallest true gain that is shown to be significant with 80 % power.

    `error` is the standard error of its mean, and `documents` their effective number: the minimum
    detectable effect (Bloom 1995).
    """
    from scipy.special import stdtrit

    freedom = max(documents, FEWEST) - 1
    return min(1.0, float(sum(stdtrit(freedom, [(1 + level) / 2, POWER])) * error))


@dataclass(frozen=True)
class Cells:
    """The queries by the documents that they ask about: those of a cell ask about the same."""

    cell: NDArray[np.int64]  # of each query, (queries,)
    sizes: Floats  # the number of queries, (cells,)
    related: Any  # 1 where two cells share a document, sparse, (cells, cells)

    @classmethod
    def of(cls, clusters: Clusters) -> Cells:
        """The cells of `clusters`, which is that of `paired`."""
        from scipy.sparse import csr_array, eye_array

        rows = clusters if clusters.ndim == 2 else clusters[:, None]
        if rows.shape[1] == 1:
            cells, cell = np.unique(rows, return_inverse=True)
            related = eye_array(len(cells), format="csr")
        else:
            cells, cell = np.unique(rows, axis=0, return_inverse=True)
            owner = np.repeat(np.arange(len(cells)), rows.shape[1])
            documents = np.unique(cells, return_inverse=True)[1].reshape(-1)
            member = csr_array((np.ones(len(owner)), (owner, documents)))
            related = (member @ member.T > 0).astype(np.float64)
        return cls(cell.reshape(-1), np.bincount(cell.reshape(-1)).astype(np.float64), related)

    @cached_property
    def near(self) -> Floats:
        """How many queries are in the cells that are related to each, (cells,)."""
        return np.asarray(self.related @ self.sizes)

    @cached_property
    def documents(self) -> float:
        """The effective number of documents: see `effective_documents`."""
        return float(self.sizes.sum() ** 2 / (self.sizes @ self.near)) if len(self.cell) else 0.0

    @cached_property
    def known(self) -> bool:
        """Can a standard error be estimated? Not where every query asks about one document."""
        return self.documents >= FEWEST and self.near.max() < len(self.cell)

    def quantile(self, level: float) -> float:
        """How many standard errors a two-sided interval reaches to either side."""
        from scipy.special import stdtrit

        return float(stdtrit(self.documents - 1, (1 + level) / 2)) if self.known else np.inf

    def standard_error(self, excess: Floats) -> Floats:
        """The standard error of the means of `excess` (queries, comparisons), (comparisons,)."""
        if not self.known:
            return np.ones(excess.shape[1])
        count = len(excess)
        sums = np.stack([np.bincount(self.cell, column) for column in excess.T], axis=1)
        scaled = sums / (1 - self.near / count)[:, None]
        total = (scaled * (self.related @ scaled)).sum(axis=0)
        error = np.sqrt(np.maximum(total, (sums**2).sum(axis=0))) / count
        return np.asarray(np.minimum(error, 1.0))
