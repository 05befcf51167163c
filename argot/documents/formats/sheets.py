"""Workbooks (XLSX)."""

from __future__ import annotations

import datetime
import io
import zipfile
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.office import (
    about,
    is_strict,
    main_part,
    named,
    parsed,
    read_part,
    related,
    rewritten,
)
from argot.documents.formats.sheet_tables import tables
from argot.documents.formats.text import clean

STYLES = "/styles.xml"


def read_xlsx(data: bytes) -> Parsed:
    """A section per sheet with its tables and text boxes.

    Values are as they are shown; formulas are not read.
    """
    from openpyxl import load_workbook

    if is_strict(data) or _has_alternatives(data):
        data = rewritten(data, _without_alternatives)
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    boxes, parts = _boxes(data), []
    for sheet in book.worksheets:
        # What a file claims about its size may be wrong, by a million rows.
        sheet.reset_dimensions()
        rows = [[_value(cell) for cell in row] for row in sheet.iter_rows()]
        if found := [*tables(rows), *boxes.get(sheet.title, [])]:
            parts += [f"## {sheet.title}", *found]
    title, metadata = about(data)
    return Parsed("xlsx", clean("\n\n".join(parts)), title, metadata)


def _has_alternatives(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        styles = (name for name in archive.namelist() if name.endswith(STYLES))
        return any(b"AlternateContent" in archive.read(name) for name in styles)


def _without_alternatives(name: str, content: bytes) -> bytes:
    """Styles for programs that know the standard only; openpyxl stumbles over the others."""
    from lxml import etree

    if not name.endswith(STYLES):
        return content
    root = parsed(content)
    for choice in [*root.iter(named("mc:AlternateContent"))]:
        for element in choice.iterfind(f"{named('mc:Fallback')}/*"):
            choice.addprevious(element)
        choice.getparent().remove(choice)
    xml: bytes = etree.tostring(root)
    return xml


def _boxes(data: bytes) -> dict[str, list[str]]:
    """The text boxes of each sheet, by its name; openpyxl leaves them out."""
    found: dict[str, list[str]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names, book = set(archive.namelist()), main_part(archive)
        paths = related(archive, book)
        sheets = parsed(read_part(archive, book)).iter("{*}sheet") if book in names else ()
        for sheet in sheets:
            parts = related(archive, paths.get(sheet.get(named("r:id")), "")).values()
            drawings = [part for part in parts if "/drawings/drawing" in part and part in names]
            found[sheet.get("name")] = [
                text for part in drawings for text in _paragraphs(archive, part)
            ]
    return found


def _paragraphs(archive: zipfile.ZipFile, part: str) -> list[str]:
    paragraphs = parsed(read_part(archive, part)).iter(named("a:p"))
    texts = ("".join(text.text or "" for text in one.iter(named("a:t"))) for one in paragraphs)
    return [text.strip() for text in texts if text.strip()]


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
