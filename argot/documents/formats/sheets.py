"""Workbooks (XLSX)."""

from __future__ import annotations

import datetime
import io
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.office import about, is_strict, rewritten
from argot.documents.formats.sheet_tables import tables
from argot.documents.formats.text import clean


def read_xlsx(data: bytes) -> Parsed:
    """A section per sheet with its tables. Values are as they are shown; formulas are not read."""
    from openpyxl import load_workbook

    if is_strict(data):
        data = rewritten(data, lambda name, content: content)
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    parts = []
    for sheet in book.worksheets:
        # What a file claims about its size may be wrong, by a million rows.
        sheet.reset_dimensions()
        rows = [[_value(cell) for cell in row] for row in sheet.iter_rows()]
        if found := tables(rows):
            parts += [f"## {sheet.title}", *found]
    title, metadata = about(data)
    return Parsed("xlsx", clean("\n\n".join(parts)), title, metadata)


def _value(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and "%" in cell.number_format
    ):
        return f"{value * 100:.12g}%"
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()
