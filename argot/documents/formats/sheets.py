"""Workbooks (XLSX)."""

from __future__ import annotations

import datetime
import io
import itertools
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, table


def read_xlsx(data: bytes) -> Parsed:
    """A section a sheet; in it a table for each run of rows without a blank one between them. Values, not formulas."""
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    parts = []
    for sheet in book.worksheets:
        # What a file claims about its size may be wrong, by a million rows.
        sheet.reset_dimensions()
        rows = [[_value(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
        runs = [list(run) for filled, run in itertools.groupby(rows, key=any) if filled]
        if runs:
            parts += [f"## {sheet.title}", *(_run(run) for run in runs)]
    return Parsed("xlsx", clean("\n\n".join(parts)), book.properties.title or "")


def _run(rows: list[list[str]]) -> str:
    filled = [[cell for cell in row if cell] for row in rows]
    if all(len(row) == 1 for row in filled):
        return "\n".join(row[0] for row in filled)
    columns = [
        number
        for number in range(max(map(len, rows)))
        if any(row[number : number + 1] != [""] for row in rows)
    ]
    return table([[row[number] if number < len(row) else "" for number in columns] for row in rows])


def _value(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, (datetime.datetime, datetime.date, datetime.time)):
        return cell.isoformat()
    return f"{cell:.15g}" if isinstance(cell, float) else str(cell).strip()
