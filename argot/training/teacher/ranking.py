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

from argot.ranking.exact import inner_products, slack

# Dense scores are scaled so that the 100th best of a query is 0; anything below counts as 0.
HORIZON = 100
# A row's threshold is guessed from every eighth of its scores, for twice the places asked for.
STRIDE, SPARE = 8, 2
EXACT = np.float32(0)  # how far exact scores may be from the true ones
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
    queries: Floats,
    passages: Floats,
    lexical: sparse.csr_matrix | None,
    positives: Places,
    weight: float,
    count: int,
) -> Ranking:
    """The `count` best passages beside each query's positive, by score, then by place.

    With `weight` as the share of dense, a query's score of a passage is

        weight * max(0, (dense - low) / (best - low)) + (1 - weight) * lexical / max(lexical)

    where dense scores are the inner products of the vectors `queries` (n, d) and `passages` (m, d),
    normalised and `on_grid`, and `best` and `low` are a query's highest and its HORIZON-th.
    `lexical`, (n, m), is sparse, and None for 0.
    """
    every, size = np.arange(len(queries)), len(passages)
    dense = queries @ passages.T
    # 1. The nearest by vectors, as many as the horizon and `count` need, with exact scores.
    row, place, value = _nearest_exactly(
        dense, queries, passages, min(size, max(HORIZON, count + 1))
    )

    # 2. Dense scores are scaled from the HORIZON-th of their row, 0, to the first, `weight`.
    best_first = _rows(row, value)
    low = best_first[:, min(HORIZON, size) - 1]
    factor = np.float32(weight) / np.maximum(best_first[:, 0] - low, np.float32(1e-6))

    def scaled(scores: Floats, query: Places) -> Floats:
        return np.asarray(np.maximum((scores - low[query]) * factor[query], 0))

    positive = products(queries, passages, every, positives)
    own, found = scaled(positive, every), scaled(value, row)

    # 3. BM25's scores are added, from here on in the memory of `dense`.
    words = None if lexical is None else _share_of_words(lexical, 1 - weight, dense)
    if words is not None:
        own, found = own + words[every, positives], found + words[row, place]
        words[row, place] = -1  # in `found` already: no later step may count them again

    # 4. What ranks above the positive, and the least score that is among the best `count` others.
    above = np.bincount(row[found > own[row]], minlength=len(dense))
    least = _rows(row, found)[:, min(count, size - 1)]

    # 5. Passages that are not near by vectors may be good enough by their words alone.
    if words is not None:
        above += (words > own[:, None]).sum(axis=1)
        enough = np.maximum(least, np.finfo(np.float32).tiny)
        others, alone = nearest(words, min(size, count + 1), enough)
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


def products(left: Floats, right: Floats, row: Places, place: Places) -> Floats:
    """Exact inner products of `left[row]` and `right[place]`, (pairs,), of vectors `on_grid`.

    `row` ascends: the pairs of a row are taken together.
    """
    end = np.searchsorted(row, np.arange(len(left) + 1))
    found = np.empty(len(row), np.float32)
    for at, vector in enumerate(left):
        pairs = slice(end[at], end[at + 1])
        found[pairs] = inner_products(vector, right[place[pairs]])
    return found


def _nearest_exactly(
    dense: Floats, queries: Floats, passages: Floats, count: int
) -> tuple[Places, Places, Floats]:
    """Row, place and exact score of each row's `count` nearest passages, and of the last's equals.

    The last bits of `dense` depend on the machine's BLAS. So whatever may be among the nearest is
    scored exactly, and which are is decided by these scores.
    """
    near = slack(passages.shape[1])
    row, place = nearest(dense, count, near=near)
    maybe = _among_best(row, dense[row, place], count, near)
    row, place = row[maybe], place[maybe]
    value = products(queries, passages, row, place)
    sure = _among_best(row, value, count)
    return row[sure], place[sure], value[sure]


def _among_best(
    row: Places, value: Floats, count: int, near: np.float32 = EXACT
) -> NDArray[np.bool_]:
    """Which values reach the `count`-th highest of their row, less `near`."""
    least = _rows(row, value)[:, count - 1] - near
    return np.asarray(value >= least[row])


def _rows(row: Places, value: Floats) -> Floats:
    """The values of each row, best first; -inf where a row has fewer than another."""
    counts = np.bincount(row)
    first = np.cumsum(counts) - counts
    wide = np.full((len(counts), counts.max(initial=0)), np.inf, np.float32)
    wide[row, np.arange(len(row)) - first[row]] = -value
    wide.sort(axis=1)
    return -wide


def nearest(
    scores: Floats, count: int, least: Floats | None = None, near: np.float32 = EXACT
) -> tuple[Places, Places]:
    """Row and place of the `count` highest scores of each row, and of some more, in that order.

    Those less than `near` below them are among these. With `least`, (queries,), only of those that
    reach it.
    """
    # 1. Guess each row's threshold from a sample of its scores, low enough for some to spare.
    sample = scores[:, ::STRIDE]
    threshold = _highest(sample, min(-(-SPARE * count // STRIDE), sample.shape[1]))
    threshold = threshold if least is None else np.maximum(threshold, least)
    row, place = _above(scores, threshold)
    # 2. Where too few reach it the guess was too high: take that row's true threshold.
    enough = row[scores[row, place] >= threshold[row] + near] if near else row
    short = np.flatnonzero(np.bincount(enough, minlength=len(scores)) < count)
    lower = _highest(scores[short], count) - near if least is None else least[short]
    if (lower < threshold[short]).any():
        threshold[short] = lower
        row, place = _above(scores, threshold)
    return row, place


def _highest(scores: Floats, count: int) -> Floats:
    at = scores.shape[1] - count
    return np.asarray(np.partition(scores, at, axis=1)[:, at])


def _above(scores: Floats, threshold: Floats) -> tuple[Places, Places]:
    return np.divmod(np.flatnonzero(scores >= threshold[:, None]), scores.shape[1])
