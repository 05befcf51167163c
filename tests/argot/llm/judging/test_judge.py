from __future__ import annotations

from argot.llm.judging.judge import grades, judge_request, negatives_request
from tests.argot.queries.test_wording import reply, settings


def test_grades_are_read_by_number() -> None:
    found = reply(
        {"grades": [{"number": 2, "grade": 9}, {"number": 1, "grade": 77}, {"number": "x"}, 5]}
    )
    assert grades([found], 3) == [10, 9, None]
    assert grades([], 2) == [None, None]


def test_the_judge_sees_every_query_and_every_negative() -> None:
    asked = judge_request("H", "text", "c", ["first", "second"], settings())
    assert "1. first\n2. second" in asked.prompt.user
    assert (
        negatives_request("q", [("H", "a"), ("H", "b")], "p", settings()).prompt.user.count(
            "<passage>"
        )
        == 2
    )
