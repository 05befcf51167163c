"""Org becomes Markdown, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, decode, fenced, table

HEADING = re.compile(
    r"(\*+)\s+(?:(?:TODO|DONE|NEXT|WAITING|CANCELLED)\s+)?(?:\[#\w\]\s+)?(\S.*?)(?:\s+:[\w@:]+:)?\s*"
)
KEYWORD = re.compile(r"\s*#\+(\w+):\s*(.*)")
BEGIN = re.compile(r"\s*#\+begin_(\w+)\b.*", re.IGNORECASE)
WORDS, CODE = ("begin", "end"), ("src", "example", "export")
DRAWER = re.compile(r"\s*:(?:PROPERTIES|LOGBOOK|CLOCK):\s*", re.IGNORECASE)
DRAWER_END = re.compile(r"\s*:END:\s*", re.IGNORECASE)
LINE_END = re.compile(r"\s*\\\\\s*$")
ROW, RULE = re.compile(r"\s*\|.*"), re.compile(r"\s*\|[-+|\s]*\s*")
COMMENT = re.compile(r"\s*#(?:\s|$).*")
LINK = re.compile(r"\[\[([^\[\]]*)\](?:\[([^\[\]]*)\])?\]")
VERBATIM = re.compile(r"(?<![\w=~])([=~])(?=\S)([^=~\n]+)(?<=\S)\1(?!\w)")
MARKED = {"title", "author", "date"}


def read_org(data: bytes) -> Parsed:
    """Headings, lists, tables and blocks; drawers, comments and settings are left out."""
    found: dict[str, str] = {}
    text = "\n".join(_converted(clean(decode(data)).split("\n"), found)).strip("\n")
    title = found.pop("title", "")
    return Parsed("org", text, title, dict(found))


def _converted(lines: Sequence[str], found: dict[str, str]) -> Iterator[str]:
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if begin := BEGIN.fullmatch(line):
            end = _end(lines, number, begin[1])
            yield from _block(begin[1].lower(), lines[number:end], found)
            number = end + 1
        elif DRAWER.fullmatch(line):
            number = _drawer_end(lines, number) + 1
        elif ROW.fullmatch(line):
            end = number
            while end < len(lines) and ROW.fullmatch(lines[end]):
                end += 1
            yield from ["", _table(lines[number - 1 : end]), ""]
            number = end
        elif keyword := KEYWORD.fullmatch(line):
            name = keyword[1].lower()
            if name in MARKED:
                found[name] = _inline(keyword[2])
            elif name == "caption":
                yield _inline(keyword[2])
        elif not COMMENT.fullmatch(line):
            yield _line(line)


def _end(lines: Sequence[str], number: int, kind: str) -> int:
    """The line that ends a block; a block without an end is empty, and what follows is text.

    Blocks of the same kind may be within one another, except those of code.
    """
    begin, mark = (re.compile(rf"\s*#\+{word}_{kind}\b.*", re.IGNORECASE) for word in WORDS)
    depth = 1
    for end in range(number, len(lines)):
        depth += bool(begin.fullmatch(lines[end])) and kind.lower() not in CODE
        depth -= bool(mark.fullmatch(lines[end]))
        if not depth:
            return end
    return number - 1


def _drawer_end(lines: Sequence[str], number: int) -> int:
    ends = (end for end in range(number, len(lines)) if DRAWER_END.fullmatch(lines[end]))
    return next(ends, number - 1)


def _block(kind: str, lines: Sequence[str], found: dict[str, str]) -> Iterator[str]:
    if kind in CODE:
        yield from ["", fenced("\n".join(lines)), ""]
    elif kind != "comment":
        yield from _converted(lines, found)


def _line(line: str) -> str:
    heading = HEADING.fullmatch(line)
    if heading:
        return f"{'#' * min(len(heading[1]), 6)} {_inline(heading[2])}"
    return _inline(line)


def _table(lines: Sequence[str]) -> str:
    rows = [line.strip().strip("|").split("|") for line in lines if not RULE.fullmatch(line)]
    return table([[_inline(cell.strip()) for cell in row] for row in rows])


def _inline(text: str) -> str:
    named = LINK.sub(lambda match: match[2] or match[1], LINE_END.sub("", text))
    return VERBATIM.sub(r"`\2`", named)
