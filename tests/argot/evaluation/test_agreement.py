from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from argot.evaluation.agreement import TOKENS, WORDS, agreements, weights
from argot.ranking.hits import MISSING, Hits


def firsts(positions: Sequence[int]) -> Hits:
    ranked = np.array([[first, 99] for first in positions], dtype=np.int32).reshape(-1, 2)
    return Hits(ranked, np.ones(ranked.shape, np.float32))


TRUE = firsts(range(50))
HALF = firsts([*range(25), *range(60, 85)])
NEVER = firsts(range(100, 150))


def test_the_leg_that_agrees_more_with_the_tokens_weighs_more() -> None:
    trusted = weights(TRUE, HALF, TRUE)
    equal = weights(HALF, HALF, TRUE)
    distrusted = weights(HALF, TRUE, TRUE)
    assert trusted["bm25"] > equal["bm25"] > distrusted["bm25"]
    assert trusted["dense"] < equal["dense"] < distrusted["dense"]
    assert {trusted["tokens"], equal["tokens"], distrusted["tokens"]} == {TOKENS}
    assert equal["bm25"] == pytest.approx((1 - TOKENS) * WORDS)


def test_a_leg_that_never_agrees_has_no_share() -> None:
    assert weights(TRUE, NEVER, TRUE)["dense"] == 0
    assert weights(NEVER, TRUE, TRUE)["bm25"] == 0


@pytest.mark.parametrize("bm25", [TRUE, HALF, NEVER])
def test_shares_are_none_below_zero_and_together_one(bm25: Hits) -> None:
    found = weights(bm25, HALF, TRUE)
    assert min(found.values()) >= 0
    assert sum(found.values()) == pytest.approx(1)


def test_few_questions_move_little() -> None:
    one, none = weights(firsts([3]), firsts([4]), firsts([3])), weights(*[firsts([])] * 3)
    assert none["bm25"] == pytest.approx((1 - TOKENS) * WORDS)
    assert 0 < one["bm25"] - none["bm25"] < 0.1


def test_two_that_find_nothing_do_not_agree() -> None:
    nothing = firsts([MISSING, 7])
    assert agreements(nothing, nothing) == 1
    assert agreements(firsts([]), firsts([])) == 0
