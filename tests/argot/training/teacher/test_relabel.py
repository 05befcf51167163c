"""A model's grades for candidates, given a way to get replies: no params.yaml is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from argot.errors import ParamsError
from argot.llm.calls.request import Request
from argot.llm.calls.store import Reply
from argot.llm.providers.base import Outcome
from argot.training.teacher.relabel import UNGRADED, grade_candidates
from tests.argot.queries.test_wording import settings

PASSAGES = {0: ("Pumps", "The rotor."), 1: ("Pay", "Wages."), 2: ("", "Seals.")}


def complete(requests: Sequence[Request]) -> dict[str, list[Reply]]:
    """A judge that grades the first passage it is shown with 8, and no other."""
    content = json.dumps({"grades": [{"number": 1, "grade": 8}]})
    outcome = Outcome("good", content, 1, 1)
    return {
        request.key: [Reply.of(request.attempt(0), request.provider, outcome, 0.5, batch=False)]
        for request in requests
    }


def test_grades_come_in_the_order_of_the_candidates() -> None:
    asked = [("why?", "c1", [2, 0]), ("nothing mined", "c2", []), ("when?", "c3", [1])]
    grades, figures = grade_candidates(asked, PASSAGES, settings(), complete)
    assert grades == [[8, UNGRADED], [], [8]]
    assert (figures["replies"], figures["usd"]) == (2, 1.0)


def test_without_a_model_the_settings_to_change_are_named() -> None:
    with pytest.raises(ParamsError, match=r"set synthesize\.llm\.provider, or mine\.judge to 0"):
        grade_candidates([], PASSAGES, settings(provider="none"), complete)
