"""Cut documents into passages: by headings first, then blocks, then sentences.

A passage is one run of its document's Markdown, `text[start:end]`. Only a passage from the middle
of a table has the table's header in front, because its rows mean little without it.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from argot.core.params import Settings, load
from argot.core.parquet import read_table, write_table
from argot.core.stage import HERE, counted, run_in_home, write_figures
from argot.documents.markdown import Block, blocks
from argot.documents.spans import Span, Text
from argot.documents.words import count_words
from argot.errors import InputError
from argot.tables import chunks, documents

# Where a block too long for a passage is cut, best seam first; None: between sentences.
ROW = re.compile(r"\n")
ITEM = re.compile(r"\n(?=[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t])")
BLANK = re.compile(r"\n(?:[ \t]*\n)+")
SEAMS: dict[str, tuple[re.Pattern[str] | None, ...]] = {
    "paragraph": (None, ROW),
    "list": (ITEM, None, ROW),
    "table": (ROW, None),
    "code": (BLANK, ROW),
    "comment": (None, ROW),
}
# Documents whose passages are rows at a time.
BATCH = 1000
# A table's header may take this share of a passage at most, to be repeated.
HEADER_SHARE = 4


class ChunkSettings(Settings):
    """How long passages are, in words."""

    max_words: int = Field(ge=8)
    overlap_words: int = Field(ge=0)
    min_words: int = Field(ge=1)


class Section(NamedTuple):
    """The blocks under one heading, up to the next one."""

    path: tuple[str, ...]
    heading: Block | None
    body: list[Block]
    leaf: bool  # no section is below it


class Chunk(NamedTuple):
    """A passage before it has a name."""

    path: tuple[str, ...]
    span: Span


def main(home: Path = HERE) -> str:
    """Read documents, write their passages."""
    settings = load("chunk", ChunkSettings)
    table = read_table(home / documents.PATH, documents.SCHEMA)
    parts, stubs, without = [], 0, []
    # Rows take several times the memory of their table, so they are made batch by batch.
    for batch in table.to_batches(BATCH):
        rows: list[dict[str, Any]] = []
        for document in batch.to_pylist():
            passages, dropped = cut(
                Text(document["text"], document["language"]), document["title"], settings
            )
            rows += name(document, passages)
            stubs += dropped
            without += [] if passages else [document["document"]]
        parts.append(pa.Table.from_pylist(rows, schema=chunks.SCHEMA))
    made = pa.concat_tables([chunks.SCHEMA.empty_table(), *parts]).combine_chunks()
    if not len(made):
        raise InputError(
            "no document holds a passage; check what is in data/raw, or lower chunk.min_words"
        )
    write_table(home / chunks.PATH, made, chunks.SCHEMA)
    write_figures("chunk", figures(made, stubs, without), home)
    missing = f"; {counted(len(without), 'document')} without a passage" if without else ""
    read, made = counted(len(table), "document"), counted(len(made), "passage")
    return f"{read} → {made}; {counted(stubs, 'stub')} dropped{missing}"


def cut(text: Text, title: str, settings: ChunkSettings) -> tuple[list[Chunk], int]:
    """The passages of a document, and how many stubs were dropped.

    A section of fewer than `min_words` words joins the passage before it, or else the one after it,
    with its heading line. Where neither has room it is a stub.
    """
    passages: list[Chunk] = []
    waiting: Span | None = None
    stubs = 0
    for section in sections(text.text, title):
        spans = list(pack(pieces(section.body, text, settings.max_words), text, settings))
        if _is_short(section, spans, settings.min_words):
            if not spans and not section.leaf:
                continue  # its heading is in the paths of the sections below it
            short = _whole(section, text)
            joined = text.upto(passages[-1].span, short.end) if passages else None
            if joined is not None and joined.words <= settings.max_words:
                passages[-1] = Chunk(passages[-1].path, joined)
            elif waiting is None:
                waiting = short
            else:
                stubs += 1
            continue
        if waiting is not None:
            joined = text.upto(waiting, spans[0].end)
            if joined.words <= settings.max_words:
                spans[0] = joined
            else:
                stubs += 1
            waiting = None
        passages += [Chunk(section.path, span) for span in spans]
    return passages, stubs + (waiting is not None)


def _is_short(section: Section, spans: Sequence[Span], least: int) -> bool:
    words = sum(span.words for span in spans)
    if words == 0 or words >= least:
        return words == 0
    heading = count_words(section.heading.title) if section.heading else 0
    return heading + words < least


def _whole(section: Section, text: Text) -> Span:
    whole = [section.heading, *section.body] if section.heading else section.body
    return text.span(whole[0].start, whole[-1].end)


def sections(text: str, title: str) -> Iterator[Section]:
    """The sections of a document; the title comes first in every heading path."""
    stack: list[Block] = []
    heading: Block | None = None
    body: list[Block] = []
    for block in blocks(text):
        if block.kind != "heading":
            body.append(block)
            continue
        if heading or body:
            leaf = heading is None or block.level <= heading.level
            yield Section(_path(title, stack), heading, body, leaf)
        while stack and stack[-1].level >= block.level:
            stack.pop()
        stack.append(block)
        heading, body = block, []
    if heading or body:
        yield Section(_path(title, stack), heading, body, True)


def _path(title: str, stack: Sequence[Block]) -> tuple[str, ...]:
    path = [block.title for block in stack if block.title]
    return tuple(path if not title or path[:1] == [title] else [title, *path])


def pieces(body: Sequence[Block], text: Text, limit: int) -> Iterator[Span]:
    """Blocks, whole where they fit into `limit` words, else cut at their own seams."""
    for block in body:
        span = text.span(block.start, block.end)
        if span.words > limit and block.kind == "table":
            yield from _rows(span, text, limit)
        elif span.words > limit:
            yield from _parts(span, SEAMS[block.kind], text, limit)
        elif span.words:
            yield span


def _rows(span: Span, text: Text, limit: int) -> Iterator[Span]:
    """A table's rows, all but the first with its header."""
    header = text.span(span.start, text.cut(span, ROW)[2])
    if header.words * HEADER_SHARE > limit:
        yield from _parts(span, SEAMS["table"], text, limit)
        return
    repeated = text.text[header.start : header.end]
    below = text.span(header.end, span.end)
    for number, row in enumerate(_parts(below, SEAMS["table"], text, limit - header.words)):
        if number == 0:
            yield text.span(span.start, row.end)
        else:
            yield text.span(row.start, row.end, repeated)


def _parts(
    span: Span, seams: Sequence[re.Pattern[str] | None], text: Text, limit: int
) -> Iterator[Span]:
    """The parts of a span of more than `limit` words."""
    cuts = text.cut(span, seams[0]) if seams else text.cut_words(span, limit)
    for part in text.parts(cuts):
        if part.words > limit:
            yield from _parts(part, seams[1:], text, limit)
        else:
            yield part


def pack(spans: Iterable[Span], text: Text, settings: ChunkSettings) -> Iterator[Span]:
    """Join neighbours while they fit into `max_words`; all but the first begin with an overlap."""
    limit, rest = settings.max_words, iter(spans)
    if (first := next(rest, None)) is None:
        return
    floor = first.start
    start, end, words, header = first
    for span in rest:
        more = span.words - (count_words(span.header) if span.header else 0)
        if words + more <= limit:
            end, words = span.end, words + more
            continue
        yield Span(start, end, words, header)
        overlap = 0 if span.header else min(settings.overlap_words, limit - span.words)
        back = text.back(span.start, overlap, floor) if overlap else span.start
        start, end, words, header = text.span(back, span.end) if back < span.start else span
    yield Span(start, end, words, header)


def name(document: dict[str, Any], passages: Sequence[Chunk]) -> Iterator[dict[str, Any]]:
    """Rows of the table.

    An id is a hash of document, heading, text, and how often the same text came before.
    """
    seen: Counter[tuple[str, str]] = Counter()
    pages = document["pages"]
    for position, chunk in enumerate(passages):
        start, end, _, header = chunk.span
        heading = " > ".join(chunk.path)
        text = f"{header}\n{document['text'][start:end]}" if header else document["text"][start:end]
        key = "\0".join([document["document"], heading, text, str(seen[heading, text])])
        seen[heading, text] += 1
        yield {
            "chunk": hashlib.sha256(key.encode()).hexdigest()[:16],
            **{
                column: document[column]
                for column in ("document", "group", "title", "language", "metadata")
            },
            "position": position,
            "heading": heading,
            "text": text,
            "start": start,
            "end": end,
            "page": bisect_right(pages, start) if pages else None,
        }


def figures(made: pa.Table, stubs: int, without: Sequence[str]) -> dict[str, Any]:
    """How many passages there are, how long, and what was left out."""
    words = [count_words(text.as_py()) for text in made["text"]]
    return {
        "chunks": len(words),
        "words": {
            "mean": float(np.mean(words)),
            "median": float(np.median(words)),
            "max": max(words),
        },
        "languages": Counter(made["language"].to_pylist()),
        "stubs": stubs,
        "documents_without_chunks": len(without),
        "without_chunks": list(without),
    }


if __name__ == "__main__":
    run_in_home("chunk", main)
