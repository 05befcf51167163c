"""Queries written by a model: which kinds a passage is asked for, and which queries are kept."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from argot.core.terminal import encodable
from argot.errors import ParamsError
from argot.llm.calls.redact import MASK
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings
from argot.llm.calls.store import Reply
from argot.llm.judging.prompting import material, prompt, request, shown, table

TYPES = ("question", "keywords", "claim", "scenario", "short")
MOST_WORDS = 60  # of a query
# A query about "this passage" could only be asked by someone who has the passage before them.
READER = re.compile(
    r"(?i)\b(?:this|that|above|given|provided|following|present)\s+"
    r"(?:passage|text|excerpt|section|document|article|paragraph|page|context|snippet)\b"
    r"|\b(?:the|in) (?:passage|excerpt|snippet|text above)\b"
    r"|\baccording to the (?:text|document|passage)"
    r"|\b(?:diese[mnrs]?|laut|im obigen) (?:dem )?(?:text|abschnitt|absatz|dokument|auszug)\b"
    r"|\b(?:ce|cet|le présent|selon le) (?:texte|passage|document|extrait|article)\b"
    r"|\b(?:est[ea]|según el|el presente) (?:texto|pasaje|documento|fragmento|artículo)\b"
)


def query_request(
    heading: str, text: str, chunk: str, examples: Sequence[str], settings: LlmSettings
) -> Request:
    """Ask for queries about one chunk, of the kinds that `kinds_for` gives it."""
    kinds = Counter(kinds_for(chunk, settings))
    wanted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    user = f"{material(heading, text, settings)}\nWrite {kinds.total()} queries: {wanted}."
    item = {"type": {"type": "string", "enum": list(kinds)}, "query": {"type": "string"}}
    return request(settings, instructions(examples, settings), user, table("queries", item), chunk)


def instructions(examples: Sequence[str], settings: LlmSettings) -> str:
    """The prompt, with people's own questions as examples of style."""
    note = ""
    if examples:
        lines = "\n".join(f"- {shown(query, settings)}" for query in examples)
        note = f"\nThis is how people here ask; take their style, not their subjects:\n{lines}"
    return prompt(Path(__file__).with_name("wording.md")).replace("{examples}", note).rstrip()


def kinds_for(chunk: str, settings: LlmSettings) -> list[str]:
    """The kinds of queries one chunk is asked for.

    Over all chunks each kind has its share of `types`, and each chunk gets as many kinds as fit:
    systematic sampling, which takes `queries_per_chunk` points at equal distances from the line on
    which each kind occupies its share. The chunk's hash decides where the first point lies.
    """
    if strange := sorted(set(settings.types) - set(TYPES)):
        raise ParamsError(
            f"params.yaml: synthesize.llm.types: '{strange[0]}' is unknown; "
            f"expected {', '.join(TYPES)}"
        )
    shares = {kind: settings.types.get(kind, 0.0) for kind in TYPES}
    if min(shares.values()) < 0 or not sum(shares.values()):
        raise ParamsError(
            "params.yaml: synthesize.llm.types: expected shares of zero or more, and one above zero"
        )
    start = int.from_bytes(hashlib.sha256(chunk.encode()).digest()[:8], "big") / 2**64
    count, total = settings.queries_per_chunk, sum(shares.values())
    return [_kind_at((start + place) / count * total, shares) for place in range(count)]


def chosen_examples(queries: Sequence[str], count: int) -> list[str]:
    """The examples of style: the queries with the smallest hashes, in the order of the alphabet.

    A new query seldom is among them, so it seldom changes the prompt, for which all replies would
    be paid again.
    """

    def by_hash(query: str) -> bytes:
        return hashlib.sha256(query.encode()).digest()

    return sorted(sorted(set(queries), key=by_hash)[:count])


def read_queries(
    reply: Reply, kinds: Sequence[str], dropped: Counter[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Kind and query of each entry that can be used; the others are counted in `dropped`.

    `dropped` counts by source and reason.
    """
    if reply.status != "good":
        dropped["llm", reply.status] += 1
        return
    left = Counter(kinds)
    for entry in _entries(reply.content):
        kind = str(entry.get("type"))
        query = encodable(" ".join(str(entry.get("query", "")).split()))
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
    if not query or len(query.split()) > MOST_WORDS:
        return "empty or too long"
    if READER.search(query):
        return "speaks of the passage"
    return "repeats a mask" if MASK.search(query) else ""


def _kind_at(point: float, shares: dict[str, float]) -> str:
    """The kind whose share covers `point`, the shares laid end to end from 0."""
    for kind, share in shares.items():
        if point < share:
            return kind
        point -= share
    # The rounding of floats may leave a point behind the last share.
    return [kind for kind, share in shares.items() if share][-1]
