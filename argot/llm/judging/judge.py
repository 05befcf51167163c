"""A model as judge of synthetic queries and of mined negatives: does a passage answer a query?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argot.llm.calls.completions import Complete
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings
from argot.llm.calls.store import Reply
from argot.llm.judging.prompting import material, prompt, request, shown, table

# What each entry of a reply holds; the instructions in judge.md and negatives.md say how to grade.
GRADES = {"number": {"type": "integer"}, "grade": {"type": "integer"}}


def judge_request(
    heading: str, text: str, chunk: str, queries: Sequence[str], settings: LlmSettings
) -> Request:
    """Ask how well one passage answers each of its queries."""
    asked = "\n".join(
        f"{number}. {shown(query, settings)}" for number, query in enumerate(queries, start=1)
    )
    user = f"{material(heading, text, settings)}\nQueries:\n{asked}"
    system = prompt(Path(__file__).with_name("judge.md"))
    return request(settings, system, user, table("grades", GRADES), chunk)


def negatives_request(
    query: str, passages: Sequence[tuple[str, str]], about: str, settings: LlmSettings
) -> Request:
    """Ask how well each of several passages (heading, text) answers one query."""
    shown_passages = (material(heading, text, settings) for heading, text in passages)
    numbered = "\n".join(
        f"{number}.\n{passage}" for number, passage in enumerate(shown_passages, start=1)
    )
    user = f"Query: {shown(query, settings)}\n{numbered}"
    system = prompt(Path(__file__).with_name("negatives.md"))
    return request(settings, system, user, table("grades", GRADES), about)


def grades(replies: Sequence[Reply], count: int) -> list[int | None]:
    """The grade, 0 to 10, of each of `count` queries or passages; None where the judge gave none.

    The judge numbers them from 1. Of two grades with one number the first counts.
    """
    found: dict[int, int] = {}
    if replies and replies[-1].status == "good":
        entries: Any = json.loads(replies[-1].content).get("grades")
        for entry in entries if isinstance(entries, list) else ():
            number, grade = _number_and_grade(entry)
            if number is not None and grade is not None:
                found.setdefault(number, min(10, max(0, grade)))
    return [found.get(number) for number in range(1, count + 1)]


def _number_and_grade(entry: Any) -> tuple[int | None, int | None]:
    """What an entry of a reply holds; None for each that is no whole number."""
    fields = entry if isinstance(entry, dict) else {}
    number, grade = fields.get("number"), fields.get("grade")
    return (
        number if isinstance(number, int) else None,
        grade if isinstance(grade, int) else None,
    )


def judge(
    asked: Mapping[str, tuple[Request, int]], complete: Complete
) -> tuple[dict[str, list[int | None]], list[Reply]]:
    """The grades that each named request brings, and the replies that were paid for them.

    A request comes with the number of queries or passages that it asks the judge to grade.
    """
    replies = complete([request for request, _ in asked.values()]) if asked else {}
    found = {name: grades(replies[request.key], count) for name, (request, count) in asked.items()}
    return found, [reply for tries in replies.values() for reply in tries]
