"""The table of chunks, one row a passage in the order of documents, and how it is read."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.core.parquet import read_table
from argot.errors import InputError

PATH = Path("data/chunks.parquet")
BATCH = 1 << 15
SCHEMA = pa.schema(
    [
        # The id: 16 hex digits, a hash of document, heading and text.
        pa.field("chunk", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),  # the document's near-duplicate group
        pa.field("position", pa.int32(), nullable=False),  # 0, 1, 2 ... within the document
        pa.field("title", pa.string(), nullable=False),  # of the document
        # The heading path, such as "Returns > Damaged goods"; may be empty.
        pa.field("heading", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        # The span in the document's Markdown, in characters.
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        # The document's, as a JSON object; it stays text in the release too, and is parsed per hit.
        pa.field("metadata", pa.string(), nullable=False),
        # The page it starts on, from 1; null where its document has no pages.
        pa.field("page", pa.int32()),
    ]
)

# Names of decks.
SLIDES = re.compile(r"\.(?:pp[st][xm]|pot[xm]|odp|otp)$", re.IGNORECASE)


def passage(heading: str, text: str) -> str:
    """A chunk as it is embedded, indexed and searched: heading path, then text."""
    return f"{heading}\n{text}" if heading else text


def page_name(document: str, page: int | None) -> str:
    """What people call a page: "page 3", of a deck "slide 3"; empty for a document without any."""
    if page is None:
        return ""
    return f"slide {page}" if SLIDES.search(document) else f"page {page}"


def location(document: str, heading: str, page_name: str) -> str:
    """Where a passage is, in one line: "policies/returns.pdf › Returns > Damaged goods, page 3"."""
    where = f"{document} › {heading}" if heading else document
    return f"{where}, {page_name}" if page_name else where


def passages_of(table: pa.Table) -> list[str]:
    """The passage of each row of a table with the columns `heading` and `text`."""
    made: list[str] = []
    # Batch by batch, so that headings and texts are not all in memory beside the passages.
    for batch in table.to_batches(BATCH):
        made += map(passage, batch["heading"].to_pylist(), batch["text"].to_pylist())
    return made


def commonest(languages: Iterable[str]) -> str:
    """The language of most passages; of equally common ones the first by name; "" of none."""
    counts = Counter(languages)
    return min(counts, key=lambda language: (-counts[language], language), default="")


def read_metadata(text: str, document: str) -> dict[str, Any]:
    """A document's metadata out of their JSON text; InputError where it is no JSON object."""
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        shown = textwrap.shorten(text, 60, placeholder="…")
        raise InputError(
            f"{document}: metadata must be a JSON object, got {shown!r}; run `dvc repro`"
        )
    return metadata


class ChunkRow(NamedTuple):
    """A row of the table, as far as queries are made from it."""

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


@dataclass(frozen=True)
class Corpus:
    """All passages, in the order of their table; each column is read when it is first asked for.

    A column raises InputError where the table is missing, damaged or of another schema.
    """

    path: Path = PATH

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """Some columns of the table, or all."""
        return read_table(self.path, SCHEMA, columns)

    def rows(self) -> list[ChunkRow]:
        """What queries are made from, row by row."""
        columns = ["chunk", *ChunkRow._fields[1:]]
        table = self.table(columns)
        cells = [table[name].to_pylist() for name in columns]
        return [ChunkRow(*row) for row in zip(*cells, strict=True)]

    def places_of(self, ids: Sequence[str]) -> list[int]:
        """The rows of chunks by their ids; InputError if one is not of this corpus."""
        try:
            return [self.places[id] for id in ids]
        except KeyError as error:
            raise InputError(f"{self.path} holds no chunk {error}; run `dvc repro`") from None

    def numbered(self, column: str) -> NDArray[np.int64]:
        """A column's distinct texts as numbers in the order of their names, (passages,)."""
        return numbered(self._column(column))

    def _column(self, name: str) -> list[str]:
        column: list[str] = self.table([name])[name].to_pylist()
        return column

    @cached_property
    def ids(self) -> list[str]:
        """The chunks' ids."""
        return self._column("chunk")

    @cached_property
    def documents(self) -> list[str]:
        """Each passage's document."""
        return self._column("document")

    @cached_property
    def groups(self) -> list[str]:
        """The near-duplicate group of each passage's document."""
        return self._column("group")

    @cached_property
    def headings(self) -> list[str]:
        """Heading paths."""
        return self._column("heading")

    @cached_property
    def texts(self) -> list[str]:
        """The texts without their headings."""
        return self._column("text")

    @cached_property
    def passages(self) -> list[str]:
        """The passages as they are embedded."""
        return passages_of(self.table(["heading", "text"]))

    @cached_property
    def languages(self) -> list[str]:
        """The language of each passage's document."""
        return self._column("language")

    @cached_property
    def language(self) -> str:
        """The language of most passages."""
        return commonest(self.languages)

    @cached_property
    def places(self) -> dict[str, int]:
        """Each chunk's row, by its id."""
        return {id: place for place, id in enumerate(self.ids)}


def numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """Each name's number, 0, 1, 2 ... in the order of the distinct names: b a b gives 1 0 1."""
    return np.unique(np.asarray(names, dtype=object), return_inverse=True)[1].astype(np.int64)
