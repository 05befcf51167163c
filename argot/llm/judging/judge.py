"""A model as judge: does a passage answer a query? For synthetic queries, and for mined negatives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argot.llm.calls.gather import gather
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings, MachineLlm, SpendSettings
from argot.llm.calls.store import Reply
from argot.llm.judging.prompting import material, prompt, request, shown, table

GRADES = {"number": {"type": "integer"}, "grade": {"type": "integer"}}


def judge_request(
    heading: str, text: str, chunk: str, queries: Sequence[str], settings: LlmSettings
) -> Request:
    """Ask how well one passage answers each of its queries."""
    asked = "\n".join(
        f"{number}. {shown(query, settings)}" for number, query in enumerate(queries, start=1)
    )
    user = f"{material(heading, text, settings)}\nQueries:\n{asked}"
    return request(
        settings, prompt(Path(__file__).with_name("judge.md")), user, table("grades", GRADES), chunk
    )


def negatives_request(
    query: str, passages: Sequence[tuple[str, str]], about: str, settings: LlmSettings
) -> Request:
    """Ask how well each of several passages (heading, text) answers one query."""
    shown_passages = (material(heading, text, settings) for heading, text in passages)
    numbered = "\n".join(
        f"{number}.\n{passage}" for number, passage in enumerate(shown_passages, start=1)
    )
    user = f"Query: {shown(query, settings)}\n{numbered}"
    return request(
        settings,
        prompt(Path(__file__).with_name("negatives.md")),
        user,
        table("grades", GRADES),
        about,
    )


def grades(replies: Sequence[Reply], count: int) -> list[int | None]:
    """The grade of each of `count` queries or passages, None where the judge gave none."""
    found: dict[int, int] = {}
    if replies and replies[-1].status == "good":
        entries: Any = json.loads(replies[-1].content).get("grades")
        for entry in entries if isinstance(entries, list) else ():
            if (
                isinstance(entry, dict)
                and isinstance(entry.get("number"), int)
                and isinstance(entry.get("grade"), int)
            ):
                found.setdefault(entry["number"], min(10, max(0, entry["grade"])))
    return [found.get(number) for number in range(1, count + 1)]


def judge(
    asked: Mapping[str, tuple[Request, int]], machine: MachineLlm, spend: SpendSettings
) -> tuple[dict[str, list[int | None]], list[Reply]]:
    """The grades for each named request, which comes with its number of queries or passages; and the paid replies."""
    replies = gather([request for request, _ in asked.values()], machine, spend) if asked else {}
    found = {name: grades(replies[request.key], count) for name, (request, count) in asked.items()}
    return found, [reply for tries in replies.values() for reply in tries]
