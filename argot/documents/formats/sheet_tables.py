"""Tables in the rows of a sheet: people put several below each other, and blank rows within one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from argot.documents.formats.html import MARKUP
from argot.documents.formats.text import table

NUMBER = re.compile(r"[+-]?\d")
Rows = Sequence[Sequence[str]]


def tables(rows: Rows) -> list[str]:
    """The sheet's tables as Markdown, without empty rows and columns.

    A blank row ends a table, unless what follows has no header of its own. Rows that each have one
    filled cell are lines of text.
    """
    found: list[list[Sequence[str]]] = []
    blank_rows = 0
    for filled, group in itertools.groupby(rows, key=any):
        run = [*group]
        if not filled:
            blank_rows = len(run)
        elif found and blank_rows == 1 and _continues(found[-1], run):
            found[-1] += run
        else:
            found.append(run)
    return [_markdown(run) for run in found]


def _continues(above: Rows, below: Rows) -> bool:
    """Whether rows below a blank one belong to the table above it: they have no header."""
    columns = _filled_columns(below)
    if len(columns) < 2 or len(above) < 2 or not columns <= _filled_columns(above):
        return False
    if len(below) == 1 or _has_number(below[0], columns):
        return True  # a header has rows below it, and it names columns by words
    # A first row of words is a header where the rows below it hold numbers. Where nothing holds
    # numbers, a header looks like any other row; then the blank row decides.
    numbers_below = any(_has_number(row, columns) for row in below[1:])
    numbers_above = any(_has_number(row, columns) for row in above)
    return numbers_above and not numbers_below


def _filled_columns(rows: Rows) -> set[int]:
    return {number for row in rows for number, cell in enumerate(row) if cell}


def _has_number(row: Sequence[str], columns: set[int]) -> bool:
    return any(NUMBER.match(row[number]) for number in columns if number < len(row))


def _markdown(rows: Rows) -> str:
    columns = sorted(_filled_columns(rows))
    cells = [[row[number] if number < len(row) else "" for number in columns] for row in rows]
    if all(sum(map(bool, row)) == 1 for row in cells):
        return MARKUP.sub(r"\1\\\2", "\n".join("".join(row) for row in cells))
    return table(cells)
