"""Which weight the vectors get beside BM25: the choice that dev queries speak for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from argot.evaluation.metrics import Relevance, ndcg, ndcg_of_ranks
from argot.search.exact import summable
from argot.search.fusion import CandidatePool, Fusion, Method
from argot.search.hits import Hits

# These weights of the vectors are tried: 0, 0.05, ... 1. The rest of the weight is BM25's.
WEIGHTS = tuple(step / 20 for step in range(21))
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


def beside_bm25(method: Method, weight: float) -> Fusion:
    """The vectors with this weight, BM25 with the rest."""
    return Fusion(method=method, weights={"bm25": round(1 - weight, 2), "dense": weight})


def curve(
    dense: Hits, bm25: Hits, relevance: Relevance, method: Method, ties: NDArray[np.int64]
) -> NDArray[np.float64]:
    """nDCG@10 of each query under each of WEIGHTS, (weights, queries), as `fuse` would rank.

    Nothing is sorted: the rank of a relevant candidate is the number of those that score higher.
    """
    pool = CandidatePool.of({"bm25": bm25, "dense": dense}, method)
    # One row for each relevant candidate: the scores of all candidates of its query.
    row, column = np.nonzero(relevance.found(pool.positions))
    order = ties[pool.positions[row]]
    earlier = order < np.take_along_axis(order, column[:, None], axis=1)
    # A ranker that has all the weight is not fused: its own ranking is measured as it is.
    only = {0.0: bm25, 1.0: dense}
    values = []
    for weight in WEIGHTS:
        if weight in only:
            found = relevance.found(only[weight].positions)
            values.append(ndcg(found, relevance.counts))
            continue
        scores = pool.scores(beside_bm25(method, weight).weights)
        others, own = scores[row], scores[row, column][:, None]
        ranks = ((others > own) | ((others == own) & earlier)).sum(axis=1)
        values.append(ndcg_of_ranks(ranks, row, relevance.counts))
    return np.stack(values)


def choose(
    curves: Mapping[Method, NDArray[np.float64]],
    clusters: NDArray[np.int64],
    trust: float = 1.0,
    default: float = DEFAULT,
) -> Fusion:
    """The fusion that dev queries speak for: convex, unless RRF is better by two standard errors.

    `curves` holds what `curve` gives, by method; `clusters` (queries,) numbers the document groups.
    """
    convex = choose_weight(curves["convex"], clusters, trust, default)
    rrf = choose_weight(curves["rrf"], clusters, trust, default)
    gain = curves["rrf"][WEIGHTS.index(rrf)] - curves["convex"][WEIGHTS.index(convex)]
    if len(gain) and gain.mean() > 2 * _standard_error(gain, clusters):
        return beside_bm25("rrf", rrf)
    return beside_bm25("convex", convex)


def choose_weight(
    values: NDArray[np.float64],
    clusters: NDArray[np.int64],
    trust: float = 1.0,
    default: float = DEFAULT,
) -> float:
    """The weight, out of WEIGHTS, for `values` (weights, queries) as `curve` gives them.

    1. Draw the document groups with replacement, 200 times (bagging, Breiman 1996).
    2. Take each sample's best weight; PRIOR queries that prefer `default` take part in each.
    3. Average the best weights. `trust` below 1 goes only that share of the way from `default` to
       the average; it is for queries that people did not ask.

    Of seven rules tried on three corpora this one lost least, from 10 to 200 dev queries: with 10,
    half of what the plain optimum lost.
    """
    grid = np.array(WEIGHTS)
    if values.shape[1] == 0:
        return default
    sums = np.stack([np.bincount(clusters, row) for row in values])
    count = sums.shape[1]
    # 1. Sums that are exact: rounding would choose among weights that are equally good.
    exact = summable(sums.astype(np.float64), count)
    # 2. How often each group is in each sample, (samples, groups).
    equal = np.full(count, 1 / count)
    drawn = np.random.default_rng(0).multinomial(count, equal, size=BAGS)
    # 3. Each sample's sum of nDCG@10 at each weight, less what the PRIOR queries lose there.
    prior_loss = PRIOR * FALL * (grid - default) ** 2
    best = (drawn @ exact.T - prior_loss).argmax(axis=1)
    # 4. The nearest weight of the grid.
    weight = default + trust * (grid[best].mean() - default)

    return WEIGHTS[int(np.abs(grid - weight).argmin())]


def _standard_error(differences: NDArray[np.float64], clusters: NDArray[np.int64]) -> float:
    """The standard error of the mean, from sums over clusters."""
    sums = np.bincount(clusters, differences - differences.mean())
    return float(np.sqrt((sums**2).sum()) / len(differences))
