"""reStructuredText becomes Markdown: headings by their underlines, directives by their names.

docutils refuses what it does not know, and manuals are full of directives and roles of their own.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import dedent

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, decode, fenced, table

RULE = re.compile(r"([!-/:-@\[-`{-~])\1+\s*")
EXPLICIT = re.compile(r"\s*\.\.(?:\s|$)")
DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]+\|\s+)?([\w:.+-]+)::(?:\s+(.*))?")
SUBSTITUTION = re.compile(r"^\.\. \|([^|\n]+)\| replace:: +(.*)$", re.MULTILINE)
USED = re.compile(r"\|([^|\s](?:[^|\n]*[^|\s])?)\|")
FOOTNOTE = re.compile(r"\.\.\s+(\[[^\]]+\])\s+(.*)")
OPTION = re.compile(r":[\w -]+:(?:\s|$)")
ROLE = re.compile(r"(?::[\w:+-]+:)`([^`]+?)(?:\s*<[^`<>]*>)?`|`([^`<]+?)\s*<[^`>]*>`__?")
PHRASE = re.compile(r"(?<![`\w])`([^`]+)`__?")
CODE_SPAN = re.compile(r"``([^`]+)``")
BORDER = re.compile(r"\+(?:[-=]+\+)+\s*")
SIMPLE = re.compile(r"=+(?:\s+=+)+\s*")
CODE = {
    "code",
    "code-block",
    "sourcecode",
    "parsed-literal",
    "math",
    "prompt",
    "doctest",
    "testcode",
    "console",
}
# Directives whose argument is for the program; what is below them is text.
SETTINGS = {"figure", "only", "ifconfig", "container"}
# Directives that build a page and say nothing.
LEFT_OUT = {
    "image", "toctree", "contents", "index", "include", "literalinclude", "raw", "highlight",
    "meta", "sectnum", "module", "currentmodule", "automodule", "autoclass", "autofunction",
    "automethod", "default-role", "role", "py:module", "py:currentmodule", "tabularcolumns",
    "highlightlang", "sectionauthor", "moduleauthor",
}  # fmt: skip


def read_rst(data: bytes) -> Parsed:
    """Headings, lists, tables, code and the text of directives, without comments and targets."""
    text = clean(decode(data)).expandtabs(8)
    replaced = dict(SUBSTITUTION.findall(text))
    if replaced:
        text = USED.sub(lambda match: replaced.get(match[1], match[0]), text)
    lines = text.split("\n")
    return Parsed("rst", "\n".join(_converted(lines, [])).strip("\n"))


def _converted(lines: Sequence[str], rules: list[str]) -> Iterator[str]:
    """Lines of Markdown.

    `rules` are the kinds of rules seen so far; a heading's level is the place of its kind.
    """
    number = 0
    while number < len(lines):
        line = lines[number]
        heading = _heading(lines, number)
        if heading:
            rule, title, number = heading
            if rule not in rules:
                rules.append(rule)
            yield f"{'#' * min(rules.index(rule) + 1, 6)} {_inline(title)}"
        elif EXPLICIT.match(line):
            end = _block_end(lines, number)
            yield from _explicit(line.strip(), lines[number + 1 : end], rules)
            number = end
        elif BORDER.fullmatch(line.strip()) or SIMPLE.fullmatch(line):
            end = _table_end(lines, number)
            yield from _table([row.rstrip() for row in lines[number:end]])
            number = end
        elif line.rstrip().endswith("::") and (end := _block_end(lines, number)) > number + 1:
            text = line.rstrip().removesuffix("::")
            yield from [_inline(text).rstrip() + ":", ""] if text.strip() else []
            yield from _code(lines[number + 1 : end])
            number = end
        else:
            end = _link_end(lines, number)
            text = "\n".join([re.sub(r"^(\s*)#\.", r"\g<1>1.", line), *lines[number + 1 : end]])
            yield _inline(text)
            number = end


def _link_end(lines: Sequence[str], number: int) -> int:
    """Where the lines end that a link or a role goes on over: at an even number of backticks."""
    marks = 0
    for end in range(number, len(lines)):
        marks += lines[end].count("`")
        if not lines[end].strip() or lines[end].rstrip().endswith("::"):
            break
        if marks % 2 == 0:
            return end + 1
    return number + 1


def _heading(lines: Sequence[str], number: int) -> tuple[str, str, int] | None:
    """A heading's kind of rule, its title and the number of the line after it; None for others."""
    first, *rest = [line.rstrip() for line in lines[number : number + 3]]
    if (
        len(rest) == 2
        and first
        and first == rest[1]
        and RULE.fullmatch(first)
        and 0 < len(rest[0]) <= len(first)
    ):
        return first[0] * 2, rest[0].strip(), number + 3
    after_blank = number == 0 or not lines[number - 1].strip()
    if after_blank and rest and first and not first[0].isspace() and RULE.fullmatch(rest[0]):
        known = len(rest[0]) + 2 >= len(first) and not RULE.fullmatch(first) and len(rest[0]) > 1
        return (rest[0][0], first, number + 2) if known else None
    return None


def _block_end(lines: Sequence[str], number: int) -> int:
    """Where the lines end that are indented more than this one."""
    indent = len(lines[number]) - len(lines[number].lstrip())
    last = end = number + 1
    while end < len(lines):
        text = lines[end].lstrip()
        if text and len(lines[end]) - len(text) <= indent:
            break
        end += 1
        last = end if text else last
    return last


def _explicit(line: str, block: Sequence[str], rules: list[str]) -> Iterator[str]:
    inner = dedent("\n".join(block)).split("\n") if block else []
    footnote, directive = FOOTNOTE.match(line), DIRECTIVE.match(line)
    if footnote:
        yield from _converted([f"{footnote[1]} {footnote[2]}", *inner, ""], rules)
        return
    if not directive or directive[1] in LEFT_OUT:
        return
    name, argument = directive[1].split(":")[-1], directive[2] or ""
    while inner and OPTION.match(inner[0]):
        inner = inner[1:]
    if name in CODE:
        yield from _code([argument, *inner] if name in ("math", "parsed-literal") else inner)
    elif name == "csv-table":
        rows = list(csv.reader(io.StringIO("\n".join(inner)), skipinitialspace=True))
        yield from [argument, "", table([row for row in rows if row]), ""]
    else:
        title = [] if name in SETTINGS else [argument, ""]
        yield from ["", *_converted([*title, *inner], rules), ""]


def _code(lines: Sequence[str]) -> Iterator[str]:
    yield from ["", fenced(dedent("\n".join(lines)).strip("\n")), ""]


def _table_end(lines: Sequence[str], number: int) -> int:
    grid = lines[number].lstrip().startswith("+")
    end, rules = number, 0
    while end < len(lines) and (lines[end].strip() or not grid):
        rules += bool(SIMPLE.fullmatch(lines[end]))
        end += 1
        # A simple table has rules above and below its header and one at its end. Blank lines may be
        # between its rows.
        after = lines[end].strip() if end < len(lines) else ""
        if not grid and rules >= 2 and SIMPLE.fullmatch(lines[end - 1]) and not after:
            break
    return end


def _table(lines: Sequence[str]) -> Iterator[str]:
    grid = lines[0].lstrip().startswith("+")
    starts = [match.start() for match in re.finditer("[-=]+" if grid else "=+", lines[0])]
    rows: list[list[str]] = []
    opens = True
    for line in lines:
        if BORDER.fullmatch(line.strip()) or SIMPLE.fullmatch(line):
            opens = True
            continue
        if not line.strip():
            continue
        cells = [_inline(line[start:end].strip(" |")) for start, end in pairwise([*starts, None])]
        # In a simple table a row whose first cell is empty goes on with the one above.
        if rows and (not opens if grid else not cells[0]):
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
        opens = False
    yield from ["", table(rows), ""]


def _inline(text: str) -> str:
    named = ROLE.sub(lambda match: match[1] or match[2] or "", text)
    return CODE_SPAN.sub(r"`\1`", PHRASE.sub(r"\1", named))
