"""Dense and lexical hits made into one ranking, by a weight that was chosen on dev queries.

Which side deserves how much differs from corpus to corpus: fusing by rote can rank worse than BM25 alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from argot.evaluation.metrics import Relevance, ndcg, ndcg_of_ranks
from argot.search.hits import MISSING, Hits

DEPTH = 100  # candidates from each side; evaluate and Retriever must take the same, for scores are scaled over them
RANK_OFFSET = 60  # of reciprocal rank fusion (Cormack et al. 2009)
WEIGHTS = tuple(step / 20 for step in range(21))
DEFAULT = 0.35  # what costs little anywhere: within 2.2 points of the best weight on three corpora with MiniLM
TUNED = 0.45  # ... and of a model that was trained on these documents: BM25 has less to tell it (docs/LOG.md)
PRIOR = 20  # queries' worth of preference for either ...
FALL = 0.4  # ... whose nDCG@10 falls by so much times the squared distance, as measured curves do
BAGS = 200

Method = Literal["convex", "rrf"]


@dataclass(frozen=True)
class Fusion:
    """How two rankings become one; `weight` is the share of dense, from 0.0 (BM25 alone) to 1.0 (dense alone)."""

    method: Method
    weight: float

    @property
    def mode(self) -> Literal["dense", "lexical", "fused"]:
        """What is left of the two sides under this weight."""
        return {0.0: "lexical", 1.0: "dense"}.get(self.weight, "fused")  # type: ignore[return-value]


def fuse(dense: Hits, lexical: Hits, fusion: Fusion, k: int, ties: NDArray[np.int64]) -> Hits:
    """The k best of both sides' hits, by (score, tie order); a passage that one side misses gets 0 from that side.

    convex: scores are scaled to [0, 1] within each query, BM25 from its theoretical minimum of 0, dense from its
    lowest candidate, then weighed (Bruch et al., arXiv 2210.11934). rrf: 1 / (60 + rank), weighed.
    """
    if fusion.mode == "fused":
        return _Candidates.of(dense, lexical, fusion.method).best(fusion.weight, k, ties)
    only = dense if fusion.mode == "dense" else lexical
    return Hits(only.positions[:, :k], only.scores[:, :k])


def curve(
    dense: Hits, lexical: Hits, relevance: Relevance, method: Method, ties: NDArray[np.int64]
) -> NDArray[np.float64]:
    """nDCG@10 of each query under each of WEIGHTS, (weights, queries): as `fuse` would rank, without sorting."""
    candidates = _Candidates.of(dense, lexical, method)
    row, column = np.nonzero(relevance.found(candidates.positions))
    order = ties[candidates.positions[row]]
    earlier = order < np.take_along_axis(order, column[:, None], axis=1)
    only = {0.0: lexical, 1.0: dense}
    return np.stack(
        [
            ndcg(relevance.found(only[weight].positions), relevance.counts)
            if weight in only
            else ndcg_of_ranks(
                candidates.ranks(weight, row, column, earlier), row, relevance.counts
            )
            for weight in WEIGHTS
        ]
    )


def choose(
    curves: Mapping[Method, NDArray[np.float64]],
    clusters: NDArray[np.int64],
    trust: float = 1.0,
    default: float = DEFAULT,
) -> Fusion:
    """The fusion that dev queries speak for: convex, unless RRF is better there by two standard errors."""
    convex, rrf = (
        Fusion(method, choose_weight(curves[method], clusters, trust, default))
        for method in ("convex", "rrf")
    )
    gain = curves["rrf"][WEIGHTS.index(rrf.weight)] - curves["convex"][WEIGHTS.index(convex.weight)]
    return rrf if len(gain) and gain.mean() > 2 * _error(gain, clusters) else convex


def choose_weight(
    values: NDArray[np.float64],
    clusters: NDArray[np.int64],
    trust: float = 1.0,
    default: float = DEFAULT,
) -> float:
    """The weight, out of WEIGHTS, that dev queries speak for: `values` (weights, queries) as `curve` gives them.

    The mean of the best weights of resampled clusters (bagging, Breiman 1996), each held by PRIOR queries that prefer
    `default`: of seven rules tried on three corpora this one lost least from 10 to 200 dev queries, half of what the
    plain optimum lost at 10. `trust` below 1 goes only that far from it, for queries that are not people's own.
    """
    grid = np.array(WEIGHTS)
    if values.shape[1] == 0:
        return default
    sums = np.stack([np.bincount(clusters, row) for row in values])
    count = sums.shape[1]
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=BAGS)
    best = (drawn @ sums.T - PRIOR * FALL * (grid - default) ** 2).argmax(axis=1)
    weight = default + trust * (grid[best].mean() - default)
    return WEIGHTS[int(np.abs(grid - weight).argmin())]


def _error(differences: NDArray[np.float64], clusters: NDArray[np.int64]) -> float:
    """The standard error of the mean, from sums over clusters."""
    sums = np.bincount(clusters, differences - differences.mean())
    return float(np.sqrt((sums**2).sum()) / len(differences))


@dataclass(frozen=True)
class _Candidates:
    """Each query's candidates, once each, with what either side gives them; all (queries, candidates)."""

    positions: NDArray[np.int32]
    dense: NDArray[np.float64]
    lexical: NDArray[np.float64]

    @classmethod
    def of(cls, dense: Hits, lexical: Hits, method: Method) -> _Candidates:
        scaled = _reciprocal if method == "rrf" else _scaled
        positions = np.concatenate([dense.positions, lexical.positions], axis=1)
        left, right = scaled(dense, None), scaled(lexical, 0.0)
        order = np.argsort(positions, axis=1, kind="stable")
        positions, left, right = (
            np.take_along_axis(values, order, axis=1)
            for values in (
                positions,
                np.concatenate([left, np.zeros_like(right)], axis=1),
                np.concatenate([np.zeros_like(left), right], axis=1),
            )
        )
        # What both sides found stands twice, side by side: the first takes both parts, the second goes.
        twice = positions[:, :-1] == positions[:, 1:]
        left[:, :-1] += left[:, 1:] * twice
        right[:, :-1] += right[:, 1:] * twice
        positions[:, 1:][twice] = MISSING
        return cls(positions, left, right)

    def scores(self, weight: float) -> NDArray[np.float32]:
        fused = (weight * self.dense + (1 - weight) * self.lexical).astype(np.float32)
        fused[self.positions == MISSING] = -np.inf
        return fused

    def ranks(
        self,
        weight: float,
        row: NDArray[np.int64],
        column: NDArray[np.int64],
        earlier: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """The rank, from 0, of the candidates at (row, column); `earlier` tells which others go first in a tie."""
        fused = self.scores(weight)
        others, own = fused[row], fused[row, column][:, None]
        return np.asarray(((others > own) | ((others == own) & earlier)).sum(axis=1))

    def best(self, weight: float, k: int, ties: NDArray[np.int64]) -> Hits:
        fused = self.scores(weight)
        order = np.lexsort((ties[self.positions], -fused), axis=1)[:, :k]
        return Hits(
            np.take_along_axis(self.positions, order, axis=1),
            np.take_along_axis(fused, order, axis=1),
        )


def _scaled(hits: Hits, floor: float | None) -> NDArray[np.float64]:
    scores = np.where(hits.positions == MISSING, np.nan, hits.scores).astype(np.float64)
    if scores.shape[1] == 0:
        return scores
    high = scores[:, :1]
    low = np.fmin.reduce(scores, axis=1, keepdims=True) if floor is None else floor
    span = np.where(high > low, high - low, 1.0)
    return np.nan_to_num((scores - low) / span)


def _reciprocal(hits: Hits, _: float | None) -> NDArray[np.float64]:
    ranks = np.arange(1, hits.positions.shape[1] + 1)
    return np.where(hits.positions == MISSING, 0.0, 1 / (RANK_OFFSET + ranks))
