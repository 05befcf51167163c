"""A model as a source of queries: a request for each passage, and drafts from the replies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from argot.llm.calls.completions import Complete, Paid
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings
from argot.llm.judging.judge import judge, judge_request
from argot.queries.draft import Context, Draft
from argot.queries.wording import chosen_examples, kinds_for, query_request, read_queries
from argot.tables.chunks import ChunkRow

Dropped = Counter[tuple[str, str]]


def requests_for(
    chunks: Sequence[ChunkRow],
    texts: Mapping[str, str],
    asked_by_people: Sequence[str],
    settings: LlmSettings,
) -> list[Request]:
    """One request for each chunk; `texts` holds what may be shown of it, by its id."""
    examples = chosen_examples(asked_by_people, settings.examples)
    return [
        query_request(chunk.heading, texts[chunk.id], chunk.id, examples, settings)
        for chunk in chunks
    ]


def llm_drafts(
    chunks: Sequence[ChunkRow],
    texts: Mapping[str, str],
    asked_by_people: Sequence[str],
    settings: LlmSettings,
    complete: Complete,
    dropped: Dropped,
) -> tuple[list[Draft], Paid]:
    """The queries that the model writes for these passages; unusable ones are counted."""
    if not settings.has_provider:
        return [], Paid([])
    requests = requests_for(chunks, texts, asked_by_people, settings)
    replies = complete(requests)
    drafts = []
    for chunk, request in zip(chunks, requests, strict=True):
        last = replies[request.key][-1]
        for kind, query in read_queries(last, kinds_for(chunk.id, settings), dropped):
            made = Draft.of(query, chunk)._replace(source=f"llm:{kind}", trusted=True)
            made = made._replace(provider=last.provider, model=last.model)
            drafts.append(made._replace(prompt=last.prompt, reply=last.key))
    return drafts, Paid([reply for tries in replies.values() for reply in tries])


def grounded(
    drafts: Sequence[Draft],
    context: Context,
    texts: Mapping[str, str],
    settings: LlmSettings,
    complete: Complete,
    dropped: Dropped,
) -> tuple[list[Draft], Paid]:
    """Drop the model's queries that a judge grades below `judge`; keep those of other sources."""
    if not settings.judge or not settings.has_provider:
        return list(drafts), Paid([])
    by_chunk: defaultdict[str, list[str]] = defaultdict(list)
    for made in drafts:
        if made.source.startswith("llm:"):
            by_chunk[made.chunk].append(made.query)
    asked = {}
    for id, queries in by_chunk.items():
        heading = context.chunk(id).heading
        asked[id] = judge_request(heading, texts[id], id, queries, settings), len(queries)
    found, paid = judge(asked, complete)
    marks: dict[tuple[str, str], int | None] = {}
    for id, queries in by_chunk.items():
        marks |= zip(((id, query) for query in queries), found[id], strict=True)
    kept = []
    for made in drafts:
        # A query of another source was not asked about, and passes.
        grade = marks.get((made.chunk, made.query), settings.judge)
        if grade is None or grade < settings.judge:
            dropped[made.source, "not judged" if grade is None else "not grounded"] += 1
        else:
            kept.append(made)
    return kept, Paid(paid)
