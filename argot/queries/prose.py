"""Prose out of Markdown: sentences with their places, and text without marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# An end of a sentence, of a list item, of a table's row or of a paragraph.
BREAK = re.compile(
    r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[*]*[^\Wa-z_])|(?<=[。！？])|\n\s*\n"
    r"|\n(?=[ \t]*(?:[-*+•|#>]|\d{1,9}[.)])\s?)"
)
LINK = re.compile(r"!?\[([^\[\]]*+)\]\([^()]*+\)")
MARKS = re.compile(r"^[\s>#|+•*-]+|\*\*|__|`|\s?\[\d+ ?\](?!\()|^\d{1,3}[.)]\s")
CODE = re.compile(r"[{}<>\\=;]|::|\|")


class Sentence(NamedTuple):
    """A sentence without marks, and its span in the Markdown."""

    text: str
    start: int
    end: int


def plain(text: str) -> str:
    """`text` on one line, without the marks of Markdown."""
    line = " ".join(LINK.sub(r"\1", text).split()).rstrip(" |")
    return " ".join(MARKS.sub("", line).split())


def sentences(text: str, shortest: int = 5, longest: int = 45) -> Iterator[Sentence]:
    """The sentences of prose with `shortest` to `longest` words; code and tables are left out."""
    ends = [match.end() for match in BREAK.finditer(text)]
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        sentence = plain(text[start:end])
        if shortest <= len(sentence.split()) <= longest and not CODE.search(sentence):
            yield Sentence(sentence, start, end)
