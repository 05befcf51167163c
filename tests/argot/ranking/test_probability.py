"""How probable it is that a passage answers."""

from __future__ import annotations

import numpy as np
import pytest

from argot.ranking.hits import MISSING, Hits
from argot.ranking.probability import Calibration, columns, fit


def hits(positions: list[list[int]], scores: list[list[float]]) -> Hits:
    return Hits(np.array(positions, np.int32), np.array(scores, np.float32))


def calibration(**weights: float) -> Calibration:
    return Calibration(intercept=-1.0, scores=weights, rank=0.0, least=0.1, source="questions")


def test_the_fit_finds_the_weights_that_made_the_answers() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20_000, 2)) * [1, 100] + [5, -300]
    odds = -4 + 0.8 * values[:, 0] + 0.01 * (values[:, 1] + 300)
    answers = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    intercept, weights = fit(values, answers)
    assert weights == pytest.approx([0.8, 0.01], rel=0.1)
    assert intercept == pytest.approx(-1, abs=0.4)


@pytest.mark.parametrize("answer", [False, True])
def test_where_all_passages_are_the_same_the_probability_is_still_one(answer: bool) -> None:
    intercept, weights = fit(np.array([[1.0], [2.0]]), np.array([answer, answer]))
    assert weights == pytest.approx([0])
    assert intercept == pytest.approx(np.log(5) if answer else -np.log(5))


def test_a_passage_that_a_ranker_did_not_find_has_its_lowest_score() -> None:
    best = hits([[7, 8, MISSING]], [[0.9, 0.5, -np.inf]])
    found = {
        "dense": hits([[8, 4]], [[0.6, 0.2]]),
        "bm25": hits([[7, MISSING]], [[np.e - 1, -np.inf]]),
    }
    dense, bm25, rank = columns(best, found, ["dense", "bm25"])[0].T
    assert dense[:2] == pytest.approx([0.2, 0.6])
    assert bm25[:2] == pytest.approx([1, 0])
    assert rank == pytest.approx([0, np.log(2), np.log(3)])


def test_a_higher_score_is_more_probable_and_no_passage_is_not_at_all() -> None:
    best = hits([[1, 2, MISSING]], [[2, 1, -np.inf]])
    found = {"dense": hits([[1, 2]], [[0.9, 0.1]])}
    high, low, missing = calibration(dense=2.0).of(best, found)[0]
    assert 1 > high > low > missing == 0
    assert high == pytest.approx(1 / (1 + np.exp(1 - 1.8)))


def test_a_ranker_that_found_nothing_says_nothing() -> None:
    best = hits([[1]], [[1]])
    found = {"dense": hits([[]], [[]]), "bm25": hits([[MISSING]], [[-np.inf]])}
    assert columns(best, found, ["bm25", "dense"]).tolist() == [[[0, 0, 0]]]
