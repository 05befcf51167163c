"""Prose out of Markdown: sentences with their places, and text without marks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

# An end of a list item, of a table's row or of a paragraph.
PART = r"\n\s*\n|\n(?=[ \t]*(?:[-*+•|#>]|\d{1,9}[.)])\s?)"
PARTS = re.compile(PART)
# One of these, or an end of an English sentence.
BREAK = re.compile(rf"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[*]*[^\Wa-z_])|(?<=[。！？])|{PART}")
# German, French and Spanish abbreviations after which sentencex ends a sentence.
ABBREVIATED = re.compile(
    r"(?<!\w)(?:[Aa]bb|[Aa]bs|[Aa]rt|bzw|ca|evtl|gem|ggf|inkl|max|min|Nr|sog|Std|Str|[Tt]el|vgl|zzgl"
    r"|bât|cf|env|ex|M|Mme|réf|tél|aprox|ej|núm|p|pág|Sra?|Uds?)\.\s*$"
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


def sentences(text: str, language: str, shortest: int = 5, longest: int = 45) -> Iterator[Sentence]:
    """The sentences of prose with `shortest` to `longest` words; code and tables are left out."""
    ends = [match.end() for match in (BREAK if language == "en" else PARTS).finditer(text)]
    if language != "en":
        ends = [*_ends(text, [*ends, len(text)], language)]
    for start, end in pairwise([0, *ends, len(text)]):
        sentence = plain(text[start:end])
        if shortest <= len(sentence.split()) <= longest and not CODE.search(sentence):
            yield Sentence(sentence, start, end)


def _ends(text: str, parts: Sequence[int], language: str) -> Iterator[int]:
    """The ends of the sentences in each part of `text`; `parts` are the ends of the parts."""
    from sentencex import segment

    for start, end in pairwise([0, *parts]):
        for sentence in segment(language, text[start:end]):
            start += len(sentence)
            if not ABBREVIATED.search(sentence):
                yield start
