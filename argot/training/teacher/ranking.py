"""The teacher's ranking: the base model's scores and BM25 in a convex combination.

Convex combinations beat rank fusion and hardly depend on the normaliser (Bruch et al., arXiv
2210.11934). Only a few hundred passages of a query have a score above 0: those above the HORIZON-th
of its dense ranking, and those that hold one of its words. So no row is sorted as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Dense scores are scaled so that the 100th best of a query is 0; anything below counts as 0.
HORIZON = 100
# A row's threshold is guessed from every eighth of its scores, for twice the places asked for.
STRIDE, SPARE = 8, 2
Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """For each query the positive's score and rank (from 0), and the best others with scores."""

    score: Floats
    rank: Places
    candidates: Places
    scores: Floats


def rank(
    dense: Floats, lexical: sparse.csr_matrix | None, positives: Places, weight: float, count: int
) -> Ranking:
    """The `count` best passages beside each query's positive, by score, then by place.

    With `weight` as the share of dense, a query's score of a passage is

        weight * max(0, (dense - low) / (best - low)) + (1 - weight) * lexical / max(lexical)

    where `best` and `low` are the highest and the HORIZON-th of the query's dense scores. `dense`,
    (queries, passages), is overwritten; `lexical` is sparse, of the same shape, and None for 0.
    """
    every, passages = np.arange(len(dense)), dense.shape[1]
    # 1. The nearest by vectors, as many as the horizon and `count` need, and their place in a row.
    row, place = nearest(dense, min(passages, max(HORIZON, count + 1)))
    value, first = dense[row, place], np.searchsorted(row, every)

    # 2. Dense scores are scaled from the HORIZON-th of their row, 0, to the first, `weight`.
    descending = value[np.lexsort((-value, row))]
    low = descending[first + min(HORIZON, passages) - 1]
    factor = np.float32(weight) / np.maximum(descending[first] - low, np.float32(1e-6))

    def scaled(scores: Floats, query: Places) -> Floats:
        return np.asarray(np.maximum((scores - low[query]) * factor[query], 0))

    own, found = scaled(dense[every, positives], every), scaled(value, row)

    # 3. BM25's scores are added, from here on in the memory of `dense`.
    words = None if lexical is None else _share_of_words(lexical, 1 - weight, dense)
    if words is not None:
        own, found = own + words[every, positives], found + words[row, place]
        words[row, place] = -1  # in `found` already: no later step may count them again

    # 4. What ranks above the positive, and the least score that is among the best `count` others.
    above = np.bincount(row[found > own[row]], minlength=len(dense))
    least = found[np.lexsort((-found, row))][first + min(count, passages - 1)]

    # 5. Passages that are not near by vectors may be good enough by their words alone.
    if words is not None:
        above += (words > own[:, None]).sum(axis=1)
        enough = np.maximum(least, np.finfo(np.float32).tiny)
        others, alone = nearest(words, min(passages, count + 1), enough)
        row, place = np.append(row, others), np.append(place, alone)
        found = np.append(found, words[others, alone])

    # 6. The best `count` of each row but its positive, by score and then by place.
    kept = np.flatnonzero((found >= least[row]) & (place != positives[row]))
    kept = kept[np.lexsort((place[kept], -found[kept], row[kept]))]
    kept = kept[np.arange(len(kept)) - np.searchsorted(row[kept], row[kept]) < count]
    shape = len(dense), count
    return Ranking(own, above, place[kept].reshape(shape), found[kept].reshape(shape))


def _share_of_words(lexical: sparse.csr_matrix, share: float, out: Floats) -> Floats:
    """BM25's scores as a dense matrix, written to `out`: each row's highest is `share`."""
    words: Floats = lexical.toarray(out=out)
    most = np.maximum(words.max(axis=1, keepdims=True), np.float32(1e-6))
    words *= np.float32(share)
    words /= most
    return words


def nearest(scores: Floats, count: int, least: Floats | None = None) -> tuple[Places, Places]:
    """Row and place of the `count` highest scores of each row, and of some more, in that order.

    With `least`, (queries,), only of those that reach it.
    """
    # 1. Guess each row's threshold from a sample of its scores, low enough for some to spare.
    sample = scores[:, ::STRIDE]
    threshold = _highest(sample, min(-(-SPARE * count // STRIDE), sample.shape[1]))
    threshold = threshold if least is None else np.maximum(threshold, least)
    row, place = _above(scores, threshold)
    # 2. Where too few reach it the guess was too high: take that row's true threshold.
    short = np.flatnonzero(np.bincount(row, minlength=len(scores)) < count)
    lower = _highest(scores[short], count) if least is None else least[short]
    if (lower < threshold[short]).any():
        threshold[short] = lower
        row, place = _above(scores, threshold)
    return row, place


def _highest(scores: Floats, count: int) -> Floats:
    at = scores.shape[1] - count
    return np.asarray(np.partition(scores, at, axis=1)[:, at])


def _above(scores: Floats, threshold: Floats) -> tuple[Places, Places]:
    return np.divmod(np.flatnonzero(scores >= threshold[:, None]), scores.shape[1])
