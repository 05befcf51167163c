"""A model's grades for mined negatives, some of which answer the query after all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from argot.errors import ParamsError
from argot.llm.calls.completions import Complete, Paid
from argot.llm.calls.settings import LlmSettings
from argot.llm.judging.judge import judge, negatives_request

UNGRADED = -1


def grade_candidates(
    asked: Sequence[tuple[str, str, Sequence[int]]],
    passages: Mapping[int, tuple[str, str]],
    settings: LlmSettings,
    complete: Complete,
) -> tuple[list[list[int]], dict[str, Any]]:
    """The grades, 0 to 10 or UNGRADED, of each query's candidates; and what they cost, as figures.

    `asked` holds for each query its text, the id of the chunk it was made for, and its candidates'
    rows in `passages`, which holds heading and text. ParamsError where there is no model to ask.
    """
    if not settings.has_provider:
        raise ParamsError(
            "params.yaml: mine.judge: needs a model; "
            "set synthesize.llm.provider, or mine.judge to 0"
        )
    requests = {}
    for number, (query, chunk, rows) in enumerate(asked):
        if rows:
            candidates = [passages[row] for row in rows]
            request = negatives_request(query, candidates, chunk, settings)
            requests[str(number)] = request, len(rows)
    found, replies = judge(requests, complete)
    return [
        [UNGRADED if grade is None else grade for grade in found.get(str(number), [])]
        for number in range(len(asked))
    ], Paid(replies).figures()
