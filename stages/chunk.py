"""Cut documents into passages: by headings first, then paragraphs, then sentences.

A passage is one run of its document's Markdown, so that `text[start:end]` of the document is the passage itself.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from argot.errors import InputError
from argot.markdown import Block, blocks
from argot.params import Settings, load
from argot.stage import run, write_figures
from argot.tables import chunks, documents
from argot.tables.parquet import read_table, write_table
from argot.words import WORD, count_words

SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[^\Wa-z_])|(?<=[。！？])")
ROW = re.compile(r"\n")
ITEM = re.compile(r"\n(?=\s*(?:[-*+•]|\d{1,9}[.)])[ \t])")
PARAGRAPH = re.compile(r"\n\s*\n")


class ChunkSettings(Settings):
    """How long passages are, in words."""

    max_words: int = Field(ge=8)
    overlap_words: int = Field(ge=0)
    min_words: int = Field(ge=1)


class Span(NamedTuple):
    """A run of a document, with its number of words."""

    start: int
    end: int
    words: int


class Section(NamedTuple):
    """What stands under one heading, up to the next one."""

    path: tuple[str, ...]
    blocks: list[Block]
    heading: Block | None
    leaf: bool  # no section stands below it


class Chunk(NamedTuple):
    """A passage before it has a name."""

    path: tuple[str, ...]
    span: Span


class Words:
    """Where the words of a text start: counts words of any span in logarithmic time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [match.start() for match in WORD.finditer(text)]

    def span(self, start: int, end: int) -> Span:
        """The span without the white space at its ends."""
        piece = self.text[start:end]
        start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
        return Span(start, max(start, end), bisect_left(self.starts, end) - bisect_left(self.starts, start))

    def back(self, start: int, count: int, floor: int) -> int:
        """Where the word stands that is `count` words before `start`, no earlier than `floor`."""
        return max(floor, self.starts[max(0, bisect_left(self.starts, start) - count)]) if count else start

    def cut(self, span: Span, limit: int) -> Iterator[Span]:
        """Runs of `limit` words, the last resort for what has no sentences."""
        first = bisect_left(self.starts, span.start)
        cuts = [span.start, *self.starts[first + limit : first + span.words : limit], span.end]
        return (self.span(start, end) for start, end in zip(cuts, cuts[1:], strict=False))


def main() -> str:
    """Read documents, write their passages."""
    settings = load("chunk", ChunkSettings)
    table = read_table(documents.PATH, documents.SCHEMA)
    rows: list[dict[str, Any]] = []
    stubs, without = 0, []
    for document in table.to_pylist():
        passages, dropped = cut(document["text"], document["title"], settings)
        rows += name(document, passages)
        stubs += dropped
        without += [] if passages else [document["document"]]
    if not rows:
        raise InputError("no document holds a passage; check what stands in data/raw, or lower chunk.min_words")
    write_table(chunks.PATH, rows, chunks.SCHEMA)
    words = [count_words(row["text"]) for row in rows]
    write_figures("chunk", figures(words, stubs, without))
    missing = f"; {len(without)} documents without a passage" if without else ""
    return f"{len(table):,} documents → {len(rows):,} passages; {stubs:,} stubs dropped{missing}"


def cut(text: str, title: str, settings: ChunkSettings) -> tuple[list[Chunk], int]:
    """The passages of a document, and how many stubs were dropped.

    A section too short to stand alone joins its neighbour, its heading line with it; a stub is one with no room there.
    """
    words = Words(text)
    passages: list[Chunk] = []
    stubs = 0
    pending: int | None = None  # where a short section starts that waits for the next one
    for section in sections(text, title):
        spans = list(pack(pieces(section.blocks, words, settings.max_words), words, settings))
        if not spans and not section.leaf:
            continue
        if sum(span.words for span in spans) >= settings.min_words:
            if pending is not None:
                joined = words.span(pending, spans[0].end)
                fits = joined.words <= settings.max_words
                spans[0] = joined if fits else spans[0]
                stubs, pending = stubs + (not fits), None
            passages += [Chunk(section.path, span) for span in spans]
            continue
        start = section.heading.start if section.heading else spans[0].start
        end = spans[-1].end if spans else section.heading.end if section.heading else start
        if passages and (joined := words.span(passages[-1].span.start, end)).words <= settings.max_words:
            passages[-1] = Chunk(passages[-1].path, joined)
        elif pending is None and not passages:
            pending = start
        elif passages:
            stubs += 1
    return passages, stubs + (pending is not None)


def sections(text: str, title: str) -> Iterator[Section]:
    """The sections of a document; the title stands first in every heading path."""
    stack: list[Block] = []
    heading: Block | None = None
    body: list[Block] = []
    for block in blocks(text):
        if block.kind != "heading":
            body.append(block)
            continue
        if heading or body:
            yield Section(_path(title, stack), body, heading, heading is None or block.level <= heading.level)
        while stack and stack[-1].level >= block.level:
            stack.pop()
        stack.append(block)
        heading, body = block, []
    if heading or body:
        yield Section(_path(title, stack), body, heading, True)


def _path(title: str, stack: Sequence[Block]) -> tuple[str, ...]:
    path = [block.title for block in stack if block.title]
    return tuple(path if not title or path[:1] == [title] else [title, *path])


def pieces(body: Sequence[Block], words: Words, limit: int) -> Iterator[Span]:
    """Blocks, whole where they fit into `limit` words, else cut at their own seams."""
    for block in body:
        yield from _fit(words.span(block.start, block.end), SEAMS[block.kind], words, limit)


SEAMS = {
    "paragraph": (ROW, SENTENCE),
    "list": (ITEM, ROW, SENTENCE),
    "table": (ROW,),
    "code": (PARAGRAPH, ROW),
}


def _fit(span: Span, seams: Sequence[re.Pattern[str]], words: Words, limit: int) -> Iterator[Span]:
    if span.words <= limit:
        yield span
    elif not seams:
        yield from words.cut(span, limit)
    else:
        ends = [match.end() for match in seams[0].finditer(words.text, span.start, span.end)]
        for start, end in zip([span.start, *ends], [*ends, span.end], strict=True):
            if end > start:
                yield from _fit(words.span(start, end), seams[1:], words, limit)


def pack(spans: Iterator[Span], words: Words, settings: ChunkSettings) -> Iterator[Span]:
    """Join neighbours while they fit into the longest passage; repeat the overlap in front of all but the first."""
    limit, floor = settings.max_words, -1
    current: Span | None = None
    for span in spans:
        if current is None:
            current, floor = span, span.start
        elif current.words + span.words <= limit:
            current = Span(current.start, span.end, current.words + span.words)
        else:
            yield current
            start = words.back(span.start, min(settings.overlap_words, limit - span.words), floor)
            current = words.span(start, span.end)
    if current is not None:
        yield current


def name(document: dict[str, Any], passages: Sequence[Chunk]) -> Iterator[dict[str, Any]]:
    """Rows of the table; an id depends on document, heading and text, and on how often the same came before."""
    seen: Counter[tuple[str, str]] = Counter()
    for position, chunk in enumerate(passages):
        heading, text = " > ".join(chunk.path), document["text"][chunk.span.start : chunk.span.end]
        occurrence = seen[heading, text]
        seen[heading, text] += 1
        key = "\0".join([document["document"], heading, text, str(occurrence)])
        yield {
            "chunk": hashlib.sha256(key.encode()).hexdigest()[:16],
            **{column: document[column] for column in ("document", "group", "title", "language", "metadata")},
            "position": position,
            "heading": heading,
            "text": text,
            "start": chunk.span.start,
            "end": chunk.span.end,
        }


def figures(words: Sequence[int], stubs: int, without: Sequence[str]) -> dict[str, Any]:
    """How many passages there are, how long, and what was left out."""
    return {
        "chunks": len(words),
        "words": {"mean": float(np.mean(words)), "median": float(np.median(words)), "max": max(words)},
        "stubs": stubs,
        "documents_without_chunks": len(without),
        "without_chunks": list(without),
    }


if __name__ == "__main__":
    run("chunk", main)
