"""Which weight each ranker gets: the choice that dev queries speak for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from argot.evaluation.metrics import Relevance, ndcg, ndcg_of_ranks
from argot.ranking.exact import summable
from argot.ranking.fusion import CandidatePool, Fusion, Method
from argot.ranking.hits import Hits

# Weights are tried in these steps: 0, 0.05, ... 1.
STEPS = 20
Weights = dict[str, float]
# The weight to start from costs little anywhere: with MiniLM it was within 2.2 points of the best
# weight on three corpora.
DEFAULT = 0.35
# A model that was trained on these documents starts higher: BM25 adds less to it (docs/LOG.md).
TUNED = 0.45
# The start counts as much as 20 dev queries would. Each of them would lose 0.4 x distance² of
# nDCG@10 at a weight that far from the start, a curvature measured on three corpora (docs/LOG.md).

PRIOR, FALL = 20, 0.4
# The number of bootstrap samples whose best weights are averaged.
BAGS = 200


def grid(rankers: Sequence[str]) -> list[Weights]:
    """All weights of these rankers in STEPS that are together 1."""
    return [
        {ranker: share / STEPS for ranker, share in zip(rankers, shares, strict=True)}
        for shares in _shares(len(rankers), STEPS)
    ]


def _shares(parts: int, whole: int) -> Iterator[tuple[int, ...]]:
    """All ways to divide `whole` into so many parts."""
    if parts == 1:
        yield (whole,)
        return
    for last in range(whole + 1):
        for others in _shares(parts - 1, whole - last):
            yield (*others, last)


# The weights of BM25 and vectors, from BM25 alone to vectors alone.
TWO = grid(["bm25", "dense"])


def beside_bm25(method: Method, weight: float) -> Fusion:
    """The vectors with this weight, BM25 with the rest."""
    return Fusion(method=method, weights={"bm25": round(1 - weight, 2), "dense": weight})


def curve(
    hits: Mapping[str, Hits],
    points: Sequence[Weights],
    relevance: Relevance,
    method: Method,
    ties: NDArray[np.int64],
) -> NDArray[np.float64]:
    """nDCG@10 of each query at each point, (points, queries), as `fuse` would rank.

    `hits` are by the ranker's name. Nothing is sorted: the rank of a relevant candidate is the
    number of those that score higher.
    """
    pool = CandidatePool.of(hits, method)
    # One row for each relevant candidate: the scores of all candidates of its query.
    row, column = np.nonzero(relevance.found(pool.positions))
    order = ties[pool.positions[row]]
    earlier = order < np.take_along_axis(order, column[:, None], axis=1)
    values = []
    for weights in points:
        # A ranker that has all the weight is not fused: its own ranking is measured as it is.
        only = [name for name, weight in weights.items() if weight == 1]
        if only:
            found = relevance.found(hits[only[0]].positions)
            values.append(ndcg(found, relevance.counts))
            continue
        scores = pool.scores(weights)
        others, own = scores[row], scores[row, column][:, None]
        ranks = ((others > own) | ((others == own) & earlier)).sum(axis=1)
        values.append(ndcg_of_ranks(ranks, row, relevance.counts))
    return np.stack(values)


def choose(
    curves: Mapping[Method, NDArray[np.float64]],
    points: Sequence[Weights],
    clusters: NDArray[np.int64],
    start: Weights,
    trust: float = 1.0,
) -> Fusion:
    """The fusion that dev queries speak for: convex, unless RRF is better by two standard errors.

    `curves` holds what `curve` gives, by method; `clusters` (queries,) numbers the document groups.
    """
    best = {
        method: choose_point(values, points, clusters, start, trust)
        for method, values in curves.items()
    }
    convex = best["convex"]
    if "rrf" in best:
        rrf = best["rrf"]
        gain = curves["rrf"][points.index(rrf)] - curves["convex"][points.index(convex)]
        if len(gain) and gain.mean() > 2 * _standard_error(gain, clusters):
            return Fusion(method="rrf", weights=rrf)
    return Fusion(method="convex", weights=convex)


def choose_point(
    values: NDArray[np.float64],
    points: Sequence[Weights],
    clusters: NDArray[np.int64],
    start: Weights,
    trust: float = 1.0,
) -> Weights:
    """The weights, out of `points`, for `values` (points, queries) as `curve` gives them.

    1. Draw the document groups with replacement, 200 times (bagging, Breiman 1996).
    2. Take each sample's best point; PRIOR queries that prefer `start` take part in each.
    3. Average the best points. `trust` below 1 goes only that share of the way from `start` to
       the average; it is for queries that people did not ask.

    Of seven rules tried on three corpora this one lost least, from 10 to 200 dev queries: with 10,
    half of what the plain optimum lost. Without any query, `start` is chosen.
    """
    if values.shape[1] == 0:
        return start
    # Each point and the start, as the rankers' weights in one order: (points, rankers).
    places = np.array([[point[name] for name in start] for point in points])
    beginning = np.array(list(start.values()))
    # Of two rankers, the sum of both squared differences is twice that of one.
    distance = ((places - beginning) ** 2).sum(axis=1) / 2
    by_group = np.stack([np.bincount(clusters, row) for row in values]).astype(np.float64)
    count = by_group.shape[1]
    # 1. Sums that are exact: rounding would choose among weights that are equally good.
    sums = summable(by_group, count)
    # 2. How often each group is in each sample, (samples, groups).
    equal = np.full(count, 1 / count)
    drawn = np.random.default_rng(0).multinomial(count, equal, size=BAGS)
    # 3. Each sample's sum of nDCG@10 at each point, less what the PRIOR queries lose there.
    best = (drawn @ sums.T - PRIOR * FALL * distance).argmax(axis=1)
    # 4. The nearest point.
    middle = beginning + trust * (places[best].mean(axis=0) - beginning)
    return points[int(((places - middle) ** 2).sum(axis=1).round(12).argmin())]


def _standard_error(differences: NDArray[np.float64], clusters: NDArray[np.int64]) -> float:
    """The standard error of the mean, from sums over clusters."""
    sums = np.bincount(clusters, differences - differences.mean())
    return float(np.sqrt((sums**2).sum()) / len(differences))
