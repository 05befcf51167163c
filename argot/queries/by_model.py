"""A model as source of queries: requests for all passages, and drafts out of their replies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from argot.core.params import load
from argot.llm.calls.gather import Paid, gather
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings, MachineLlm, SpendSettings
from argot.llm.judging.judge import judge, judge_request
from argot.queries.draft import Context, Draft
from argot.queries.wording import chosen_examples, kinds_for, query_request, read_queries
from argot.tables.chunks import ChunkRow

Dropped = Counter[tuple[str, str]]


def requests_for(
    chunks: Sequence[ChunkRow], asked_by_people: Sequence[str], settings: LlmSettings
) -> list[Request]:
    """One request a chunk."""
    examples = chosen_examples(asked_by_people, settings.examples)
    return [
        query_request(chunk.heading, chunk.text, chunk.id, examples, settings) for chunk in chunks
    ]


def llm_drafts(
    chunks: Sequence[ChunkRow],
    asked_by_people: Sequence[str],
    settings: LlmSettings,
    dropped: Dropped,
) -> tuple[list[Draft], Paid]:
    """The queries that the model writes for these passages, from the store or bought now."""
    if settings.provider == "none":
        return [], Paid([])
    requests = requests_for(chunks, asked_by_people, settings)
    replies = gather(requests, load("machine.llm", MachineLlm), load("spend", SpendSettings))
    drafts = []
    for chunk, request in zip(chunks, requests, strict=True):
        last = replies[request.key][-1]
        for kind, query in read_queries(last, kinds_for(chunk.id, settings), dropped):
            made = Draft.of(query, chunk)
            drafts.append(
                made._replace(
                    source=f"llm:{kind}",
                    provider=last.provider,
                    model=last.model,
                    prompt=last.prompt,
                    reply=last.key,
                )
            )
    return drafts, Paid([reply for tries in replies.values() for reply in tries])


def grounded(
    drafts: Sequence[Draft], context: Context, settings: LlmSettings, dropped: Dropped
) -> tuple[list[Draft], Paid]:
    """Drop the model's queries that a judge grades below `judge`; of other sources none."""
    if not settings.judge or settings.provider == "none":
        return list(drafts), Paid([])
    by_chunk: defaultdict[str, list[str]] = defaultdict(list)
    for made in drafts:
        if made.source.startswith("llm:"):
            by_chunk[made.chunk].append(made.query)
    asked = {}
    for id, queries in by_chunk.items():
        chunk = context.chunk(id)
        asked[id] = judge_request(chunk.heading, chunk.text, id, queries, settings), len(queries)
    found, paid = judge(asked, load("machine.llm", MachineLlm), load("spend", SpendSettings))
    marks = {
        (id, query): grade
        for id in by_chunk
        for query, grade in zip(by_chunk[id], found[id], strict=True)
    }
    kept = []
    for made in drafts:
        grade = marks.get((made.chunk, made.query), settings.judge)
        if grade is None or grade < settings.judge:
            dropped[made.source, "not judged" if grade is None else "not grounded"] += 1
        else:
            kept.append(made)
    return kept, Paid(paid)
