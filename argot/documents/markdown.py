"""The blocks of a Markdown text and their places, by a scan of its lines in linear time.

A full CommonMark parser (markdown-it-py) also parses what is inside the lines, which passages keep
as it is, and is many times slower.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

# Patterns take linear time: possessive repeats (`*+`) never give a character back, and lines are
# stripped before.
HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
CLOSING = re.compile(r"(?:^|[ \t])#+$")
UNDERLINE = re.compile(r" {0,3}(=+|--+)[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[^`]*")
ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,9}[.)])[ \t]+\S")
DELIMITER = re.compile(r"\|?\s*+:?-++:?\s*+(?:\|\s*+:?-++:?\s*+)*+\|?")
# Marks that make a heading's Markdown differ from what a reader sees: code, emphasis, links,
# escapes.
INLINE = re.compile(
    r"(?P<ticks>`++)(?P<code>[^`]++)(?P=ticks)(?!`)|\*\*|__|`|\*(?=\S)|(?<=\S)\*"
    r"|!?\[(?P<link>[^\[\]]*+)\]\([^()]*+(?:\([^()]*+\)[^()]*+)*+\)|\\(?P<escaped>[#`~=*_-])"
)
# No heading is longer, in characters: it would be in the path of every passage below it.
LONGEST_HEADING = 300
# HTML that ends at its closing tag and not at a blank line (CommonMark, HTML blocks 1 and 2).
VERBATIM = re.compile(r" {0,3}<(?:(pre|script|style|textarea)(?=[\s>]|$)|!--)", re.IGNORECASE)


class Block(NamedTuple):
    """A block of `text[start:end]`; `kind` is heading, paragraph, list, table, code or comment."""

    kind: str
    start: int
    end: int
    level: int = 0  # of a heading: 1 to 6
    title: str = ""  # of a heading: its words without marks


def blocks(text: str) -> Iterator[Block]:
    """The blocks of `text` in order; blank lines between them belong to none."""
    lines = text.split("\n")
    lengths = list(accumulate(map(len, lines), initial=0))  # of all lines before, without \n
    first = 0
    while first < len(lines):
        if not lines[first].strip():
            first += 1
            continue
        kind, last = _block(lines, first)
        start, end = lengths[first] + first, lengths[last] + last - 1
        if kind == "heading":
            level, title = _heading(lines, first)
            yield Block(kind, start, end, level, title)
        else:
            yield Block(kind, start, end)
        first = last


def _block(lines: Sequence[str], first: int) -> tuple[str, int]:
    line = lines[first]
    mark = line.lstrip()[0]
    if mark == "#" and _is_heading(line):
        return "heading", first + 1
    if mark in "`~" and (fence := FENCE.fullmatch(line)):
        return "code", _fence_end(lines, first, fence[1])
    if mark == "<" and (html := VERBATIM.match(line)):
        return _verbatim(lines, first, html[1] or "")
    if "|" in line and first + 1 < len(lines) and _is_delimiter(lines[first + 1]):
        return "table", _table_end(lines, first)
    if not mark.isalpha() and ITEM.match(line):
        return "list", _list_end(lines, first)
    underlined = first + 1 < len(lines) and UNDERLINE.fullmatch(lines[first + 1])
    if underlined and mark not in "|>" and len(line) <= LONGEST_HEADING:
        return "heading", first + 2
    return "paragraph", _paragraph_end(lines, first)


def _is_heading(line: str) -> bool:
    return len(line) <= LONGEST_HEADING and bool(HEADING.match(line))


def _heading(lines: Sequence[str], first: int) -> tuple[int, str]:
    match = HEADING.match(lines[first])
    if match:
        title = lines[first][match.end(1) :].strip()
        title = CLOSING.sub("", title) if title.endswith("#") else title
        return len(match[1]), plain(title)
    return (1 if "=" in lines[first + 1] else 2), plain(lines[first])


def _is_delimiter(line: str) -> bool:
    return "-" in line and bool(DELIMITER.fullmatch(line.strip()))


def plain(line: str) -> str:
    """A line as a reader sees it: no emphasis, no link targets, single spaces."""
    return " ".join(INLINE.sub(_seen, line).split())


def _seen(match: re.Match[str]) -> str:
    return match["code"] or plain(match["link"] or "") or match["escaped"] or ""


def _fence_end(lines: Sequence[str], first: int, fence: str) -> int:
    for number in range(first + 1, len(lines)):
        line = lines[number].strip()
        if line.startswith(fence) and not line.strip(fence[0]):
            return number + 1
    return len(lines)


def _verbatim(lines: Sequence[str], first: int, tag: str) -> tuple[str, int]:
    """Kind and end of HTML, which goes to the line with its closing tag, or to the last line.

    A comment with words after it on its last line is a paragraph.
    """
    close = f"</{tag.lower()}>" if tag else "-->"
    for number in range(first, len(lines)):
        if close in lines[number].lower():
            alone = not tag and lines[number].rstrip().endswith(close)
            return "code" if tag else "comment" if alone else "paragraph", number + 1
    return "code", len(lines)


def _table_end(lines: Sequence[str], first: int) -> int:
    number = first + 2
    while number < len(lines) and "|" in lines[number]:
        number += 1
    return number


def _list_end(lines: Sequence[str], first: int) -> int:
    last = number = first + 1
    while number < len(lines):
        line = lines[number]
        if not line.strip():
            number += 1
            continue
        blank_before = number > last
        if (blank_before and not (line[0] in " \t" or ITEM.match(line))) or _interrupts(line):
            break
        number += 1
        last = number
    return last


def _paragraph_end(lines: Sequence[str], first: int) -> int:
    number = first + 1
    while number < len(lines) and lines[number].strip():
        # Most lines begin with a letter, and need no closer look.
        if not lines[number][0].isalpha() and (
            _interrupts(lines[number]) or ITEM.match(lines[number])
        ):
            break
        number += 1
    return number


def _interrupts(line: str) -> bool:
    mark = line.lstrip(" ")[:1]
    if mark == "#":
        return _is_heading(line)
    return (mark in ("`", "~") and bool(FENCE.fullmatch(line))) or (
        mark == "<" and bool(VERBATIM.match(line))
    )
