"""The teacher's ranking: BM25 and the base model's scores in a convex combination, few passages looked at twice.

Convex combinations beat rank fusion and hardly depend on the normaliser (Bruch et al., arXiv 2210.11934). A dense score
counts from the HORIZON-th of its row up, so that of all passages only those above it, and those that hold a word of the
query, have a score at all: after the product that made a row, a few hundred of its places are touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# A passage with a score this far down the dense ranking counts as far as the teacher can see.
HORIZON = 100
# A row's threshold is guessed from every eighth of its scores, for twice as many places as are wanted.
STRIDE, SPARE = 8, 2
Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """For each query the positive's score and rank (from 0), and the best other passages with their scores."""

    score: Floats
    rank: Places
    candidates: Places
    scores: Floats


def rank(
    dense: Floats, lexical: sparse.csr_matrix | None, positives: Places, weight: float, count: int
) -> Ranking:
    """The `count` best passages beside each query's positive, by score, then by place.

    `dense` and `lexical` are (queries, passages); the latter's share is `weight`. `dense` is overwritten.
    """
    every = np.arange(len(dense))
    row, place = nearest(dense, min(dense.shape[1], max(HORIZON, count + 1)))
    value = dense[row, place]
    first, best_first = np.searchsorted(row, every), value[np.lexsort((-value, row))]
    low = best_first[first + min(HORIZON, dense.shape[1]) - 1]
    factor = np.float32(1 - weight) / np.maximum(best_first[first] - low, np.float32(1e-6))

    def seen(scores: Floats, query: Places) -> Floats:
        return np.asarray(np.maximum((scores - low[query]) * factor[query], 0))

    own, found = seen(dense[every, positives], every), seen(value, row)
    if lexical is None:
        above = np.bincount(row[found > own[row]], minlength=len(dense))
        least = seen(
            best_first[first + min(count, dense.shape[1] - 1)], every
        )  # `count` others reach it
    else:
        words = lexical.toarray(out=dense)
        most = np.maximum(words.max(axis=1, keepdims=True), np.float32(1e-6))
        words *= np.float32(weight)
        words /= most
        own, found = own + words[every, positives], found + words[row, place]
        words[row, place] = -1  # these are known
        above = np.bincount(row[found > own[row]], minlength=len(dense)) + (
            words > own[:, None]
        ).sum(axis=1)
        least = found[np.lexsort((-found, row))][first + min(count, dense.shape[1] - 1)]
        others, alone = nearest(
            words, min(dense.shape[1], count + 1), np.maximum(least, np.finfo(np.float32).tiny)
        )
        row, place, found = (
            np.append(row, others),
            np.append(place, alone),
            np.append(found, words[others, alone]),
        )
    kept = np.flatnonzero((found >= least[row]) & (place != positives[row]))
    kept = kept[np.lexsort((place[kept], -found[kept], row[kept]))]
    kept = kept[np.arange(len(kept)) - np.searchsorted(row[kept], row[kept]) < count]
    shape = len(dense), count
    return Ranking(own, above, place[kept].reshape(shape), found[kept].reshape(shape))


def nearest(scores: Floats, count: int, least: Floats | None = None) -> tuple[Places, Places]:
    """Row and place of the `count` highest scores of each row, and of some more, in the order of rows and places.

    With `least`, (queries,), only of those that reach it.
    """
    threshold = _highest(
        scores[:, ::STRIDE], min(-(-SPARE * count // STRIDE), -(-scores.shape[1] // STRIDE))
    )
    threshold = threshold if least is None else np.maximum(threshold, least)
    row, place = _above(scores, threshold)
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
