"""Where a passage comes from: its document's address, and the document as the release holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from argot.tables.chunks import page_name

URL = "url"  # a key of a document's metadata


@dataclass(frozen=True)
class Piece:
    """A passage inside its document; what the passage before it holds too is left out of `text`."""

    id: str
    heading: str
    text: str
    start: int  # span in the document's Markdown, in characters
    end: int
    page: int | None = None  # it starts on, from 1; None: its document has no pages
    page_name: str = ""  # as of a Passage


@dataclass(frozen=True)
class Document:
    """A document, put together from its passages, in their order.

    Stubs that became no passage are missing, and white space may differ from the original.
    """

    id: str
    title: str
    url: str
    metadata: dict[str, Any]
    pieces: list[Piece]

    @property
    def text(self) -> str:
        """The pieces as one Markdown text, with a heading where one begins."""
        parts: list[str] = []
        before, end = "", 0
        for piece in self.pieces:
            headings = [f"{line}\n\n" for line in _new_headings(before, piece.heading)]
            # A gap of one character is the end of a sentence or a line, none a passage cut in two.
            gap = piece.start - end
            parts += ["\n\n" if headings or gap > 1 else "\n" * gap, *headings, piece.text]
            before, end = piece.heading, piece.end
        return "".join(parts).strip()

    def around(self, id: str, count: int) -> list[Piece]:
        """A passage with the `count` pieces before and after it; [] where the id is not here."""
        at = next((at for at, piece in enumerate(self.pieces) if piece.id == id), None)
        return [] if at is None else self.pieces[max(0, at - count) : at + count + 1]


def address(document: str, metadata: Mapping[str, Any], base: str, page: int | None = None) -> str:
    """Where people read a document: the `url` of its metadata, or its name below `base`; or "".

    That of a PDF opens at a page, where one is given and the address names no place of its own.
    Metadata are written by strangers: only http and https are taken, so that no link runs a script.
    """
    own = metadata.get(URL)
    if isinstance(own, str) and is_web(own):
        url = own
    else:
        url = base.rstrip("/") + "/" + quote(document) if base else ""
    opens = url and page and document.lower().endswith(".pdf") and "#" not in url
    return f"{url}#page={page}" if opens else url


def is_web(url: str) -> bool:
    """Is this an absolute address on the web?"""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and url.isprintable()


def rows_of(table: pa.Table, id: str) -> NDArray[np.int64]:
    """The rows of a document in a table of chunks, by its name or by the id of a passage."""
    at = pc.index(table["chunk"], id).as_py()
    name = id if at < 0 else table["document"][at].as_py()
    return np.flatnonzero(pc.equal(table["document"], name).to_numpy())


def pieces(rows: Sequence[Mapping[str, Any]]) -> Iterator[Piece]:
    """The pieces of a document by its rows of the table of chunks."""
    end = 0
    for row in rows:
        # A table's header, repeated in front of a passage's own span, is left out too.
        new = row["end"] - max(end, row["start"])
        text = row["text"][-new:] if new > 0 else ""
        yield Piece(
            row["chunk"],
            row["heading"],
            text,
            row["start"],
            row["end"],
            row["page"],
            page_name(row["document"], row["page"]),
        )
        end = max(end, row["end"])


def _new_headings(before: str, now: str) -> Iterator[str]:
    """The headings of a path, such as "Returns > Damaged", that differ from the path before."""
    old, new = before.split(" > "), now.split(" > ") if now else []
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))))
    for depth, heading in enumerate(new[shared:], start=shared + 1):
        yield f"{'#' * min(depth, 6)} {heading}"
