"""Queries by a model, given a way to get replies: no params.yaml, store or network is needed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from argot.llm.calls.request import Request
from argot.llm.calls.store import Reply
from argot.llm.providers.base import Outcome
from argot.queries.by_model import llm_drafts
from argot.tables.chunks import ChunkRow
from tests.argot.queries.test_wording import settings

CHUNKS = [
    ChunkRow("c1", "pumps.md", "g1", 0, "Pumps", "Pumps", "E-17: the rotor is stuck.", 0, "en"),
    ChunkRow("c2", "pay.md", "g2", 0, "Pay", "Pay", "Wages come on the last day.", 0, "en"),
]

TEXTS = {chunk.id: chunk.text for chunk in CHUNKS}


def complete(requests: Sequence[Request]) -> dict[str, list[Reply]]:
    """A model that repeats the passage's last word as a short query, and refuses to speak of pay."""

    def tries(request: Request) -> list[Reply]:
        words = request.prompt.user.split("\n</passage>")[0].split()
        content = json.dumps({"queries": [{"type": "short", "query": f"why {words[-1]}"}]})
        status: Any = "refused" if "Wages" in request.prompt.user else "good"
        outcome = Outcome(status, content, 1, 1)
        return [Reply.of(request.attempt(0), request.provider, outcome, 0.5, batch=False)]

    return {request.key: tries(request) for request in requests}


def test_drafts_carry_their_lineage_and_refusals_are_counted() -> None:
    dropped: Counter[tuple[str, str]] = Counter()
    drafts, paid = llm_drafts(CHUNKS, TEXTS, [], settings(types={"short": 1.0}), complete, dropped)
    [made] = drafts
    assert (made.query, made.chunk, made.source) == ("why stuck.", "c1", "llm:short")
    assert (made.provider, made.model) == ("openai", "m")
    assert made.reply in {reply.key for reply in paid.replies}
    assert dropped == {("llm", "refused"): 1}
    assert paid.figures()["usd"] == 1.0


def test_without_a_provider_nobody_is_asked() -> None:
    drafts, paid = llm_drafts(CHUNKS, {}, [], settings(provider="none"), complete, Counter())
    assert (drafts, paid.replies) == ([], [])
