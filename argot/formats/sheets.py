"""Tables of their own: CSV and XLSX."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import re
import sys
from typing import Any

from argot.formats import Parsed, UnreadableError
from argot.formats.office import about, is_strict, rewritten
from argot.formats.text import clean, decode, table

SAMPLE = 1 << 16
NUMBER = re.compile(r"[+-]?\d")


def read_csv(data: bytes) -> Parsed:
    """Rows, separated by commas, semicolons, tabs or bars."""
    text = clean(decode(data))
    csv.field_size_limit(sys.maxsize)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:SAMPLE], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), dialect) if any(cell.strip() for cell in row)]
    except csv.Error:
        raise UnreadableError("corrupt csv") from None
    return Parsed("csv", table(rows))


def read_xlsx(data: bytes) -> Parsed:
    """A section a sheet; in it a table for each block of rows. Values as they are shown, not formulas."""
    from openpyxl import load_workbook

    if is_strict(data):
        data = rewritten(data, lambda name, content: content)
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    parts = []
    for sheet in book.worksheets:
        # What a file claims about its size may be wrong, by a million rows.
        sheet.reset_dimensions()
        rows = [[_value(cell) for cell in row] for row in sheet.iter_rows()]
        blocks = [_block(rows) for rows in _blocks(rows)]
        if blocks:
            parts += [f"## {sheet.title}", *blocks]
    title, metadata = about(data)
    return Parsed("xlsx", clean("\n\n".join(parts)), title, metadata)


def _blocks(rows: list[list[str]]) -> list[list[list[str]]]:
    """The rows by tables: a blank row ends one, unless what follows lacks a header of its own."""
    found: list[list[list[str]]] = []
    blank = 0
    for filled, group in itertools.groupby(rows, key=any):
        run = [_trimmed(row) for row in group]
        if not filled:
            blank = len(run)
        elif found and blank == 1 and _continues(found[-1], run):
            found[-1] += run
        else:
            found.append(run)
    return found


def _trimmed(row: list[str]) -> list[str]:
    """The row up to its last filled cell: colour alone may reach to the sheet's edge."""
    end = next((number for number in range(len(row), 0, -1) if row[number - 1]), 0)
    return row[:end]


def _continues(above: list[list[str]], below: list[list[str]]) -> bool:
    """Whether rows go on with the table above: in its columns, and without a header over numbers."""
    columns, more = ({number for row in run for number, cell in enumerate(row) if cell} for run in (above, below))
    if len(more) < 2 or not more <= columns or len(above) < 2:
        return False
    numeric = [number for number in more if any(_is_number(row, number) for row in below[1:])]
    first_is_header = len(below) > 1 and not any(_is_number(below[0], number) for number in more)
    return not (first_is_header and (numeric or not any(_is_number(row, number) for row in above for number in more)))


def _is_number(row: list[str], column: int) -> bool:
    return column < len(row) and bool(NUMBER.match(row[column]))


def _block(rows: list[list[str]]) -> str:
    columns = sorted({number for row in rows for number, cell in enumerate(row) if cell})
    cells = [[row[number] if number < len(row) else "" for number in columns] for row in rows]
    if all(sum(map(bool, row)) == 1 for row in cells):
        return "\n".join("".join(row) for row in cells)
    return table(cells)


def _value(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and "%" in cell.number_format:
        return f"{value * 100:.12g}%"
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()
