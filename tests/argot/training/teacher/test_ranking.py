from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from argot.ranking.exact import Near, on_grid
from argot.training.teacher.ranking import HORIZON, Ranking, rank

Floats = NDArray[np.float32]


def plainly(
    dense: Floats, lexical: Floats, positives: NDArray[np.int64], weight: float, count: int
) -> Ranking:
    """The same by whole rows."""
    every, at = np.arange(len(dense)), max(0, dense.shape[1] - HORIZON)
    low = np.sort(dense, axis=1)[:, at, None]
    span = np.maximum(dense.max(axis=1, keepdims=True) - low, np.float32(1e-6))
    scores = np.maximum((dense - low) * (np.float32(weight) / span), 0)
    scores += (
        np.float32(1 - weight)
        * lexical
        / np.maximum(lexical.max(axis=1, keepdims=True), np.float32(1e-6))
    )
    own = scores[every, positives]
    above = (scores > own[:, None]).sum(axis=1)
    scores[every, positives] = -1
    best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return Ranking(own, above, best, np.take_along_axis(scores, best, axis=1))


def task(passages: int, holding: float, order: str) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Dense scores, BM25 of a share of the passages, and positives, for 30 queries."""
    random = np.random.default_rng(passages)
    dense = random.standard_normal((30, passages)).astype(np.float32)
    if order == "sorted":
        dense.sort(axis=1)
    if order == "tied":
        dense = dense.round(1)
    lexical = (random.random((30, passages)) * (random.random((30, passages)) < holding)).astype(
        np.float32
    )
    return on_grid(dense), lexical, random.integers(0, passages, 30)


@pytest.mark.parametrize("order", ["random", "sorted", "tied"])
@pytest.mark.parametrize("passages, count", [(2, 1), (99, 64), (100, 64), (3000, 64), (3000, 150)])
@pytest.mark.parametrize("weight, holding", [(1.0, 0.0), (0.5, 0.01), (0.5, 0.4), (0.0, 0.5)])
def test_the_ranking_is_that_of_whole_rows(
    order: str, passages: int, count: int, weight: float, holding: float
) -> None:
    dense, lexical, positives = task(passages, holding, order)
    expected = plainly(dense, lexical, positives, weight, count)
    words = (lambda part: sparse.csr_matrix(lexical[part])) if weight < 1 else None
    # By the vectors of a basis, each passage's score is one component of the query's.
    basis = np.eye(passages, dtype=np.float32)
    found = rank(dense, Near(basis, 30), words, positives, weight, count)
    assert np.array_equal(found.score, expected.score)
    assert np.array_equal(found.rank, expected.rank)
    assert np.array_equal(found.scores, expected.scores)
    scored = expected.scores > 0  # what has no score is in no order
    assert np.array_equal(found.candidates[scored], expected.candidates[scored])


def test_a_single_passage_has_nothing_beside_it() -> None:
    one = np.ones((1, 1), np.float32)
    found = rank(one.repeat(3, axis=0), Near(one, 3), None, np.zeros(3, np.int64), 1.0, 0)
    assert found.candidates.shape == found.scores.shape == (3, 0)
    assert found.rank.tolist() == [0, 0, 0]
