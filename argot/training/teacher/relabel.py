"""A model's word on mined negatives: which of them answer the query after all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argot.core.params import load
from argot.errors import ParamsError
from argot.llm.calls.gather import Paid
from argot.llm.calls.settings import LlmSettings, MachineLlm, SpendSettings
from argot.llm.judging.judge import judge, negatives_request

UNGRADED = -1


def grade_candidates(
    asked: Sequence[tuple[str, str, Sequence[int]]],
    passages: Sequence[tuple[str, str]],
    settings: LlmSettings,
) -> tuple[list[list[int]], dict[str, Any]]:
    """The grade of each query's candidates, and what the grades cost.

    `asked` holds a query, the chunk it was made for, and the candidates' places among `passages` (heading, text).
    """
    if settings.provider == "none":
        raise ParamsError(
            "params.yaml: mine.judge: needs a model; set synthesize.llm.provider, or mine.judge to 0"
        )
    requests = {
        str(number): (
            negatives_request(query, [passages[place] for place in places], chunk, settings),
            len(places),
        )
        for number, (query, chunk, places) in enumerate(asked)
        if places
    }
    found, replies = judge(requests, load("machine.llm", MachineLlm), load("spend", SpendSettings))
    grades = [
        found.get(str(number), [])[: len(places)] for number, (_, _, places) in enumerate(asked)
    ]
    return [[UNGRADED if grade is None else grade for grade in row] for row in grades], Paid(
        replies
    ).figures()
