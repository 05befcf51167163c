"""The teacher's ranking: the base model's scores and BM25 in a convex combination.

Convex combinations beat rank fusion and hardly depend on the normaliser (Bruch et al., arXiv
2210.11934). Only a few hundred passages of a query have a score above 0: those above the HORIZON-th
of its dense ranking, and those that hold one of its words. So no row is sorted as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from argot.ranking.exact import Near, by_row, inner_products

# Dense scores are scaled so that the 100th best of a query is 0; anything below counts as 0.
HORIZON = 100
# BM25's scores are held for some queries at a time, for at most so many pairs with passages.
BLOCK = 1 << 22
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
    near: Near,
    lexical: Callable[[slice], sparse.csr_matrix] | None,
    positives: Places,
    weight: float,
    count: int,
) -> Ranking:
    """The `count` best passages beside each query's positive, by score, then by place.

    With `weight` as the share of dense, a query's score of a passage is

        weight * max(0, (dense - low) / (best - low)) + (1 - weight) * lexical / max(lexical)

    where dense scores are the inner products of the vectors `queries` (n, d) and those of `near`
    (m, d), normalised and `on_grid`, and `best` and `low` are a query's highest and its HORIZON-th.
    `lexical` gives BM25's scores of some of the queries, (some, m), sparse; None for 0.
    """
    every, size = np.arange(len(queries)), len(near.vectors)
    # 1. The nearest by vectors, as many as the horizon and `count` need, with exact scores.
    row, place, value = _nearest_exactly(near, queries, min(size, max(HORIZON, count + 1)))

    # 2. Dense scores are scaled from the HORIZON-th of their row, 0, to the first, `weight`.
    best_first = by_row(row, value)
    low = best_first[:, min(HORIZON, size) - 1]
    factor = np.float32(weight) / np.maximum(best_first[:, 0] - low, np.float32(1e-6))

    def scaled(scores: Floats, query: Places) -> Floats:
        return np.asarray(np.maximum((scores - low[query]) * factor[query], 0))

    positive = products(queries, near.vectors, every, positives)
    own, found = scaled(positive, every), scaled(value, row)

    # 3. BM25's scores are added. Passages that are not near by vectors may be good enough by their
    #    words alone.
    above, others = np.zeros(len(queries), np.int64), []
    ends, slots = np.searchsorted(row, np.arange(len(queries) + 1)), np.full(size, -1, np.int32)
    for query, held, words in _words(lexical, len(queries), size) if lexical else ():
        _share(words, 1 - weight)
        own[query] += words[held == positives[query]].sum()
        near_by = slice(ends[query], ends[query + 1])
        _move(words, held, place[near_by], found[near_by], slots)
        above[query] = np.count_nonzero(words > own[query])
        enough = _highest(found[near_by], min(count, size - 1) + 1)
        alone = np.flatnonzero(words >= max(enough, np.finfo(np.float32).tiny))
        if len(alone) > count:
            alone = alone[words[alone] >= _highest(words[alone], count + 1)]
        others.append((np.full(len(alone), query), held[alone], words[alone]))

    # 4. What ranks above the positive, and the least score that is among the best `count` others.
    above += np.bincount(row[found > own[row]], minlength=len(queries))
    least = by_row(row, found)[:, min(count, size - 1)]
    row, place, found = map(np.concatenate, zip((row, place, found), *others, strict=True))

    # 5. The best `count` of each row but its positive, by score and then by place.
    kept = np.flatnonzero((found >= least[row]) & (place != positives[row]))
    kept = kept[np.lexsort((place[kept], -found[kept], row[kept]))]
    kept = kept[np.arange(len(kept)) - np.searchsorted(row[kept], row[kept]) < count]
    shape = len(queries), count
    return Ranking(own, above, place[kept].reshape(shape), found[kept].reshape(shape))


def _words(
    lexical: Callable[[slice], sparse.csr_matrix], queries: int, passages: int
) -> Iterator[tuple[int, Places, Floats]]:
    """For each query the passages that hold one of its words, and their scores."""
    step = max(1, BLOCK // passages)
    for start in range(0, queries, step):
        some = lexical(slice(start, start + step))
        for query, (first, last) in enumerate(pairwise(some.indptr.tolist()), start):
            yield query, some.indices[first:last], some.data[first:last]


def _share(words: Floats, share: float) -> None:
    """Scale BM25's scores of a query in place, so that the highest is `share`."""
    most = np.maximum(words.max(initial=0), np.float32(1e-6))
    words *= np.float32(share)
    words /= most


def _move(
    words: Floats, held: Places, place: Places, found: Floats, slots: NDArray[np.int32]
) -> None:
    """Add the `words` of passages that are in `place` too, to `found`; there they become -1.

    So no later step counts them again. `slots` is -1 for every passage, before and after.
    """
    slots[place] = np.arange(len(place))
    slot = slots[held]
    slots[place] = -1
    both = np.flatnonzero(slot >= 0)
    found[slot[both]] += words[both]
    words[both] = -1


def _highest(values: Floats, count: int) -> np.float32:
    """The `count`-th highest value."""
    return np.float32(np.partition(values, -count)[-count])


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


def _nearest_exactly(near: Near, queries: Floats, count: int) -> tuple[Places, Places, Floats]:
    """Row, place and exact score of each row's `count` nearest passages, and of the last's equals.

    The last bits of a fast product depend on the machine. So whatever may be among the nearest is
    scored exactly, and which are is decided by these scores.
    """
    row, place = near.find(queries, count)
    value = products(queries, near.vectors, row, place)
    sure = _among_best(row, value, count)
    return row[sure], place[sure], value[sure]


def _among_best(row: Places, value: Floats, count: int) -> NDArray[np.bool_]:
    """Which values reach the `count`-th highest of their row."""
    kept = np.ones(len(row), dtype=bool)
    ends = np.searchsorted(row, np.arange(row.max(initial=-1) + 2))
    for start, end in pairwise(ends.tolist()):
        if end - start > count:
            kept[start:end] = value[start:end] >= _highest(value[start:end], count)
    return kept
