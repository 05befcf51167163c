"""AsciiDoc becomes Markdown, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, decode, fenced, table

HEADING = re.compile(r"(={1,6})\s+(\S.*)")
# The line below a title in the older form, by its level.
UNDERLINE, LEVELS = re.compile(r"(=+|-+|~+|\^+|\++)"), "=-~^+"
ATTRIBUTE = re.compile(r":(!?[\w-]+!?):\s*(.*)")
USED = re.compile(r"\{([\w-]+)\}")
# The first and last lines of blocks. A block between lines of TEXT is read like the text around it.
CODE = re.compile(r"-{4,}|\.{4,}|\+{4,}|`{3,}.*")
COMMENT = re.compile(r"/{4,}")
TEXT = re.compile(r"={4,}|\*{4,}|_{4,}|--")
TABLE = re.compile(r"[|,:!]={3,}")
COLUMNS = re.compile(r"cols=\"?([^\"\]]+)")
OPTIONS = re.compile(r"\[[^\[\]]*\]|\[\[[^\[\]]*\]\]")
DIRECTIVE = re.compile(r"(?:ifdef|ifndef|ifeval|endif|include|image|video|audio|toc)::.*")
ITEM = re.compile(r"\s*(\*{1,5}|-|\.{1,5})\s+(\S.*)")
# What a definition list explains: at a line's end, or before its explanation.
TERM = re.compile(r"(\s*\S.*?):{2,4}(?=\s|$)")
CELL = re.compile(r"(?:(?:^|(?<=\s))(?:\d+(?:\.\d+)?[+*])?[.<^>]*[aehlmsdv]?)?(?<!\\)\|")
LINK = re.compile(
    r"(?:link:|xref:|mailto:)?(?<![\w:/])((?:link:|xref:|https?://|mailto:)[^\s\[\]]+)\[([^\[\]]*)\]"
)
CROSS = re.compile(r"<<[^<>,]*(?:,\s*([^<>]*))?>>")
NOTE = re.compile(r"footnote:\w*\[([^\[\]]*)\]")
IMAGE = re.compile(r"image:[^\s\[\]]+\[[^\[\]]*\]")
ANCHOR = re.compile(r"\[\[[^\[\]]*\]\]|\[#[\w-]+\]")


def read_asciidoc(data: bytes) -> Parsed:
    """Headings, lists, tables, listings; comments, anchors and directives are left out."""
    lines = clean(decode(data)).split("\n")
    attributes: dict[str, str] = {}
    text = "\n".join(_converted(lines, attributes)).strip("\n")
    known: dict[str, Any] = {
        key: attributes[key] for key in ("author", "date", "revdate") if key in attributes
    }
    return Parsed("asciidoc", text, "", known)


def _converted(lines: Sequence[str], attributes: dict[str, str]) -> Iterator[str]:
    number, columns = 0, 0
    while number < len(lines):
        line = lines[number].rstrip()
        number += 1
        if level := _underlined(lines, number - 1):
            yield f"{'#' * level} {_inline(line, attributes)}"
            number += 1
        elif CODE.fullmatch(line) or COMMENT.fullmatch(line) or TABLE.fullmatch(line):
            end = _end(lines, number, "```" if line.startswith("```") else line)
            block = lines[number:end]
            if TABLE.fullmatch(line):
                yield from ["", _table(block, columns, attributes), ""]
            elif CODE.fullmatch(line):
                yield from ["", fenced("\n".join(block)), ""]
            number, columns = end + 1, 0
        elif attribute := ATTRIBUTE.fullmatch(line):
            attributes[attribute[1]] = _inline(attribute[2], attributes)
        elif OPTIONS.fullmatch(line):
            columns = _columns(line) or columns
        elif not (
            TEXT.fullmatch(line)
            or DIRECTIVE.fullmatch(line)
            or line == "+"
            or re.match(r"//(?!/)", line)
        ):
            yield _line(line, attributes)


def _end(lines: Sequence[str], number: int, mark: str) -> int:
    while number < len(lines) and lines[number].rstrip() != mark:
        number += 1
    return number


def _underlined(lines: Sequence[str], number: int) -> int:
    """The level of a title with a line of its length below it, and no text above; else 0."""
    above = lines[number - 1].strip() if number else ""
    if number + 1 >= len(lines) or (above and not above.startswith("[")):
        return 0
    title, below = lines[number].rstrip(), lines[number + 1].rstrip()
    fits = title[:1].isalnum() and abs(len(title) - len(below)) < 2
    return LEVELS.index(below[0]) + 1 if fits and UNDERLINE.fullmatch(below) else 0


def _line(line: str, attributes: dict[str, str]) -> str:
    heading, item = HEADING.fullmatch(line), ITEM.fullmatch(line)
    if heading:
        return f"{'#' * len(heading[1])} {_inline(heading[2], attributes)}"
    if item:
        deep = "  " * (len(item[1]) - 1)
        return f"{deep}{'1.' if '.' in item[1] else '-'} {_inline(item[2], attributes)}"
    text = TERM.sub(r"\1:", line.removesuffix(" +"), count=1)
    title = re.fullmatch(r"\.([^\s.].*)", text)
    return _inline(f"{title[1]}\n" if title else text, attributes)


def _inline(text: str, attributes: dict[str, str]) -> str:
    text = USED.sub(lambda match: attributes.get(match[1], match[0]), text)
    text = NOTE.sub(
        r" [\1]", LINK.sub(lambda match: match[2].split(",")[0].rstrip("^") or match[1], text)
    )
    text = ANCHOR.sub("", IMAGE.sub("", CROSS.sub(lambda match: match[1] or "", text)))
    return re.sub(r"\+\+([^+]+)\+\+|``([^`]+)``", lambda match: f"`{match[1] or match[2]}`", text)


def _columns(options: str) -> int:
    """The number of columns in a table's options, such as `cols="1,2*,3"` or `cols="3*"`."""
    found = COLUMNS.search(options)
    if not found:
        return 0
    total = 0
    for part in found[1].split(","):
        times = re.match(r"\s*(\d{1,3})\*", part)
        total += int(times[1]) if times else 1
    return total


def _table(block: Sequence[str], columns: int, attributes: dict[str, str]) -> str:
    lines = [line for line in block if line.strip()]
    cells: list[str] = []
    for line in lines:
        opened = [_inline(cell.strip(), attributes) for cell in CELL.split(line)]
        if cells and opened[0]:
            cells[-1] = f"{cells[-1]} {opened[0]}".strip()
        cells += opened[1:]
    first = len(CELL.findall(lines[0])) if lines else 0
    width = columns or max(first, 1)
    return table([cells[at : at + width] for at in range(0, len(cells), width)])
