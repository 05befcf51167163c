"""What every source of queries works with: passages in, drafts of queries out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from argot.queries.vocabulary import Vocabulary
from argot.search.bm25 import Bm25
from argot.tables.passages import passage


class Chunk(NamedTuple):
    """A row of the table of chunks, as far as queries are made from it."""

    id: str
    document: str
    group: str
    position: int
    title: str
    heading: str
    text: str
    start: int
    language: str

    @property
    def passage(self) -> str:
        """The text as it is embedded."""
        return passage(self.heading, self.text)

    @property
    def leaf(self) -> str:
        """The innermost heading."""
        return self.heading.rsplit(" > ", 1)[-1]


class Draft(NamedTuple):
    """A query for the passage `chunk`, made from `[start, end)` of the Markdown of `document`."""

    query: str
    chunk: str
    source: str
    document: str
    start: int
    end: int
    provider: str = ""  # these four: only where a model wrote the query
    model: str = ""
    prompt: str = ""
    reply: str = ""


@dataclass(frozen=True)
class Corpus:
    """All passages, in the order of documents and positions, and what is known of them together."""

    chunks: Sequence[Chunk]
    vocabulary: Vocabulary
    bm25: Bm25
    places: dict[str, int]  # id of a chunk to its place in `chunks`
    documents: int
    leaves: dict[str, int]  # innermost heading, lower case, to the number of documents that have it

    def neighbour(self, chunk: Chunk, offset: int) -> Chunk | None:
        """The chunk that stands `offset` places behind in the same document."""
        place = self.places[chunk.id] + offset
        other = self.chunks[place] if 0 <= place < len(self.chunks) else None
        return other if other and other.document == chunk.document else None

    def opens_section(self, chunk: Chunk) -> bool:
        """Is it the first passage under its heading?"""
        before = self.neighbour(chunk, -1)
        return before is None or before.heading != chunk.heading


class Source(Protocol):
    """A way to make queries: yields the best first, and as many as it can."""

    def __call__(self, chunk: Chunk, corpus: Corpus, random: Random) -> Iterator[Draft]:
        """Drafts for, or from, `chunk`; `random` depends on the seed, the source and the chunk alone."""


def draft(query: str, chunk: Chunk, source: str, start: int = 0, end: int | None = None) -> Draft:
    """A draft made from `chunk.text[start:end]`."""
    end = len(chunk.text) if end is None else end
    return Draft(query, chunk.id, source, chunk.document, chunk.start + start, chunk.start + end)
