"""Plain text becomes Markdown: lines that look like headings become headings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, decode

RULE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*")
NUMBERED = re.compile(
    r"(?:(?:Chapter|Section|Article|Part|Appendix|Annex|Kapitel|Abschnitt|Artikel|Chapitre|Capítulo)\s+)?"
    r"((?:\d{1,3}|[A-Z]|[IVX]{1,5})(?:\.\d{1,3}){0,5})[.):]?\s+\S.*"
)
NAMED = re.compile(r"[A-Z]\w+\s+\d")
ITEM = re.compile(r"\s*[-*+•]\s")
HASH = re.compile(r"(#{1,6})(?:\s|$)")
CAPITALS, COLON, LONGEST = 2, 3, 12


def read_text(data: bytes) -> Parsed:
    """Text whose headings are underlined, numbered, in CAPITALS or end with a colon."""
    lines = list(escaped_comments(clean(decode(data)).split("\n")))
    return Parsed("text", "\n".join(marked(lines)))


def escaped_comments(lines: Sequence[str]) -> Iterator[str]:
    """The lines with a \\ in front of those that begin with `#` and are comments of a program.

    Text may be Markdown. A heading in it has no other line with `#` beside it, and a blank line
    below it or a heading of a lower level elsewhere. A text with fences is Markdown as it is.
    """
    around = zip(["", *lines], lines, [*lines[1:], ""], strict=False)
    alone = [before[:1] != "#" != after[:1] for before, _, after in around]
    marks = [HASH.match(line) for line in lines]
    lower = any(mark and only and len(mark[1]) > 1 for mark, only in zip(marks, alone, strict=True))
    fences = any(line.startswith("```") for line in lines)
    for number, line in enumerate(lines):
        blank = number + 1 == len(lines) or not lines[number + 1].strip()
        heading = fences or (alone[number] and (lower or blank))
        yield line if heading or not marks[number] else f"\\{line}"


def marked(lines: Sequence[str]) -> Iterator[str]:
    """The lines with `#` in front of headings; an underline is left out.

    The first kind of underline is that of level 1, the second of level 2, as in reStructuredText.
    """
    underlines: list[str] = []
    skip = False
    for number, line in enumerate(lines):
        if skip:
            skip = False
            continue
        before = lines[number - 1].strip() if number else ""
        after = lines[number + 1].strip() if number + 1 < len(lines) else ""
        if (
            line.strip()
            and not before
            and RULE.fullmatch(after)
            and len(after) + 2 >= len(line.strip()) > 2
        ):
            if after[0] not in underlines:
                underlines.append(after[0])
            level, skip = underlines.index(after[0]) + 1, True
        else:
            level = 0 if before else _level(line, _next(lines, number))
        yield f"{'#' * min(level, 6)} {line.strip().rstrip(':')}" if level else line


def _next(lines: Sequence[str], number: int) -> tuple[str, bool]:
    """The next line that isn't blank, and whether blank lines are before it."""
    for later in range(number + 1, min(number + 4, len(lines))):
        if lines[later].strip():
            return lines[later].strip(), later > number + 1
    return "", True


def _level(line: str, following: tuple[str, bool]) -> int:
    """The level of a line as a heading, by its looks; 0 for any other."""
    text = line.strip()
    after, blank_between = following
    if (
        not text
        or line[0] in " \t\\"
        or len(text.split()) > LONGEST
        or text[-1] in ".,;"
        or not after
    ):
        return 0
    match = NUMBERED.fullmatch(text)
    if match:
        # "1. Open the lid" followed by "2. ..." is a list.
        deep = "." in match[1]
        alone = blank_between and not NUMBERED.fullmatch(after)
        return match[1].count(".") + 2 if deep or alone or NAMED.match(text) else 0
    if text.isupper() and sum(character.isalpha() for character in text) > 2:
        return CAPITALS
    if (
        text.endswith(":")
        and text[0].isupper()
        and len(text.split()) <= LONGEST // 2
        and text.count(":") == 1
    ):
        return COLON
    return 0
