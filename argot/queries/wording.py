"""Queries written by a model: which kinds are asked of a passage, and what is taken of its reply."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from argot.errors import ParamsError
from argot.llm.calls.redact import MASK
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings
from argot.llm.calls.store import Reply
from argot.llm.judging.prompting import material, prompt, request, shown, table

TYPES = ("question", "keywords", "claim", "scenario", "short")
LONGEST = 60  # words of a query
# A query that speaks of "this passage" can't be asked by one who hasn't read it.
READER = re.compile(
    r"(?i)\b(?:this|that|above|given|provided|following|present)\s+(?:passage|text|excerpt|section|document|article|paragraph"
    r"|page|context|snippet)\b|\b(?:the|in) (?:passage|excerpt|snippet|text above)\b"
    r"|\baccording to the (?:text|document|passage)"
)


def query_request(
    heading: str, text: str, chunk: str, examples: Sequence[str], settings: LlmSettings
) -> Request:
    """Ask for the kinds of queries that are this chunk's turn."""
    kinds = Counter(kinds_for(chunk, settings))
    wanted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    user = f"{material(heading, text, settings)}\nWrite {kinds.total()} queries: {wanted}."
    item = {"type": {"type": "string", "enum": list(kinds)}, "query": {"type": "string"}}
    return request(settings, instructions(examples, settings), user, table("queries", item), chunk)


def instructions(examples: Sequence[str], settings: LlmSettings) -> str:
    """The prompt, with people's own questions as examples of style."""
    lines = "\n".join(f"- {shown(query, settings)}" for query in examples)
    note = (
        f"\nThis is how people here ask; take their style, not their subjects:\n{lines}"
        if examples
        else ""
    )
    return prompt(Path(__file__).with_name("wording.md")).replace("{examples}", note).rstrip()


def kinds_for(chunk: str, settings: LlmSettings) -> list[str]:
    """The kinds asked of one chunk: by shares over all chunks, and as mixed as they can be within each."""
    if strange := sorted(set(settings.types) - set(TYPES)):
        raise ParamsError(
            f"params.yaml: synthesize.llm.types: '{strange[0]}' is unknown; expected {', '.join(TYPES)}"
        )
    shares = {kind: settings.types.get(kind, 0.0) for kind in TYPES}
    if min(shares.values()) < 0 or not sum(shares.values()):
        raise ParamsError(
            "params.yaml: synthesize.llm.types: expected shares of zero or more, and one above zero"
        )
    # Systematic sampling: equal steps from a start that the chunk's hash decides.
    start = int.from_bytes(hashlib.sha256(chunk.encode()).digest()[:8], "big") / 2**64
    count, total = settings.queries_per_chunk, sum(shares.values())
    return [_at((start + place) / count * total, shares) for place in range(count)]


def chosen_examples(queries: Sequence[str], count: int) -> list[str]:
    """The style examples: those of the smallest hashes, so that another question seldom changes the prompt."""
    return sorted(
        sorted(set(queries), key=lambda query: hashlib.sha256(query.encode()).digest())[:count]
    )


def read_queries(
    reply: Reply, kinds: Sequence[str], dropped: Counter[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Kind and query of what can be used; the rest is counted by source and reason."""
    if reply.status != "good":
        dropped["llm", reply.status] += 1
        return
    left = Counter(kinds)
    for entry in _entries(reply.content):
        kind, query = str(entry.get("type")), " ".join(str(entry.get("query", "")).split())
        reason = _fault(kind, query, left)
        left[kind] -= 1
        if reason:
            dropped[f"llm:{kind}" if kind in TYPES else "llm", reason] += 1
        else:
            yield kind, query


def _entries(content: str) -> list[dict[str, Any]]:
    found = json.loads(content).get("queries")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _fault(kind: str, query: str, left: Counter[str]) -> str:
    if left[kind] <= 0:
        return "not asked for"
    if not query or len(query.split()) > LONGEST:
        return "empty or too long"
    if READER.search(query):
        return "speaks of the passage"
    return "repeats a mask" if MASK.search(query) else ""


def _at(point: float, shares: dict[str, float]) -> str:
    for kind, share in shares.items():
        if point < share:
            return kind
        point -= share
    return [kind for kind, share in shares.items() if share][-1]
