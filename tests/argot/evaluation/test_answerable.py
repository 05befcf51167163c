"""How far probabilities can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from argot.evaluation.answerable import auc, error, figures


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(2)
    high, low = rng.integers(0, 8, 50) / 8, rng.integers(0, 6, 30) / 8
    pairs = [(one > other) + (one == other) / 2 for one in high for other in low]
    assert auc(high, low) == pytest.approx(np.mean(pairs))
    assert auc(np.array([0.9]), np.array([0.1])) == 1


def test_the_error_is_the_distance_of_probability_and_share() -> None:
    chances = np.repeat([0.2, 0.8], 50)
    answers = np.tile([True, False, False, False, False], 20)
    assert error(chances[:50], answers[:50]) == pytest.approx(0)
    assert error(chances, answers) == pytest.approx(0.3)


def test_without_unanswered_questions_there_is_no_area() -> None:
    chances, answers = np.array([[0.9, 0.1], [0.2, 0.1]]), np.array([[True, False], [False, False]])
    measured = figures(chances, answers, np.zeros((0, 10)), [], 0.5)
    assert measured["nothing_fits"] == {"answered": 0.5}
    assert "auc" not in measured
    assert figures(
        np.zeros((0, 10)), np.zeros((0, 10), bool), np.zeros((3, 10)), ["a"] * 3, 0.5
    ) == {
        "unanswered": 3,
        "least": 0.5,
    }
