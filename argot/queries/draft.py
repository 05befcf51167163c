"""What every source of queries works with: passages in, drafts of queries out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from argot.queries.vocabulary import Vocabulary
from argot.ranking.bm25 import Bm25
from argot.tables.chunks import ChunkRow, Corpus


class Draft(NamedTuple):
    """A query for the passage `chunk`, made from `[start, end)` of the Markdown of `document`."""

    query: str
    chunk: str
    document: str
    start: int
    end: int
    # The stage fills it in: a source's name is written once, in the table of sources.
    source: str = ""
    # Is the label a person's, or that of a model which wrote the query for this passage? Then no
    # filter by rank drops it, and no teacher overrules it.
    trusted: bool = False
    # These four are empty unless a model wrote the query.
    provider: str = ""
    model: str = ""
    prompt: str = ""
    reply: str = ""

    @classmethod
    def of(cls, query: str, chunk: ChunkRow, start: int = 0, end: int | None = None) -> Draft:
        """A draft made from `chunk.text[start:end]`."""
        end = len(chunk.text) if end is None else end
        return cls(query, chunk.id, chunk.document, chunk.start + start, chunk.start + end)


@dataclass(frozen=True)
class Context:
    """All passages, in the order of documents and positions, and what is known of them together."""

    chunks: Sequence[ChunkRow]
    vocabulary: Vocabulary
    bm25: Bm25
    places: dict[str, int]  # each chunk's place in `chunks`, by its id
    documents: list[str]  # of each chunk
    groups: list[str]  # of each chunk's document
    document_count: int
    # How many documents have a heading, by the innermost heading in lower case.
    leaves: dict[str, int]

    @classmethod
    def of(cls, corpus: Corpus) -> Context:
        """What the sources need to know of a corpus; InputError where its BM25 index is missing."""
        bm25 = Bm25.stored(corpus.ids)
        chunks = corpus.rows()
        headed = {(chunk.document, chunk.leaf.lower()) for chunk in chunks}
        return cls(
            chunks=chunks,
            vocabulary=Vocabulary(corpus.passages, bm25.language),
            bm25=bm25,
            places=corpus.places,
            documents=corpus.documents,
            groups=corpus.groups,
            document_count=len(set(corpus.documents)),
            leaves=Counter(leaf for _, leaf in headed),
        )

    def chunk(self, id: str) -> ChunkRow:
        """The chunk of this id."""
        return self.chunks[self.places[id]]

    def neighbour(self, chunk: ChunkRow, offset: int) -> ChunkRow | None:
        """The chunk `offset` places after this one, if it is in the same document."""
        place = self.places[chunk.id] + offset
        other = self.chunks[place] if 0 <= place < len(self.chunks) else None
        return other if other and other.document == chunk.document else None

    def opens_section(self, chunk: ChunkRow) -> bool:
        """Is it the first passage under its heading?"""
        before = self.neighbour(chunk, -1)
        return before is None or before.heading != chunk.heading


class QuerySource(Protocol):
    """A way to make queries: yields the best first, and as many as it can."""

    def __call__(self, chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
        """Drafts for `chunk`, or from it for another one; `random` is this chunk's own."""
