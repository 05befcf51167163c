"""Notebooks (Jupyter): what an author wrote, not what a run printed."""

from __future__ import annotations

import json
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.markup import without_comments
from argot.documents.formats.text import clean, decode, fenced


def read_notebook(data: bytes) -> Parsed:
    """Markdown cells as Markdown, code cells as code; outputs are left out."""
    book = json.loads(decode(data))
    # Format 3 kept cells in worksheets, and the text of code cells under another name.
    sheets = [book, *book.get("worksheets", [])]
    cells = [_cell(cell) for sheet in sheets for cell in sheet.get("cells", [])]
    title = book.get("metadata", {}).get("title")
    text = "\n\n".join(cell for cell in cells if cell)
    return Parsed("notebook", clean(text), title if isinstance(title, str) else "")


def _cell(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    text = (source if isinstance(source, str) else "".join(source)).strip("\n")
    kind = cell.get("cell_type")
    if kind == "code":
        return fenced(text)
    if kind == "heading":
        return f"{'#' * min(cell.get('level', 1), 6)} {text.strip()}"
    return without_comments(text)
