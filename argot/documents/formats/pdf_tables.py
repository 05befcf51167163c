"""Tables of a PDF's page: those with rules by their rules, those without by merging rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from argot.documents.formats.pdf_page import PageWord, Stroke, View

# How far rules may miss each other, in points, and how short a rule may be.
SNAP, SHORTEST = 3, 3
# More crossings of rules than this are a drawing.
MOST_CROSSINGS = 3000
# Cells of a table that are filled, at least.
FILLED = 0.3


class Ruled(NamedTuple):
    """A table with rules.

    `rows` holds indexes into `words`, one per cell; -1 is a place that another cell spans.
    """

    x0: float
    x1: float
    top: float
    rows: list[list[int]]
    words: list[list[PageWord]]


def ruled(view: View) -> list[Ruled]:
    """The tables that rules make, by pdfplumber's search for cells.

    A word belongs to the cell that its middle is in.
    """
    from pdfplumber.table import (
        Table,
        cells_to_tables,
        edges_to_intersections,
        intersections_to_cells,
        merge_edges,
    )

    edges = merge_edges([_edge(stroke) for stroke in view.strokes], SNAP, SNAP, SNAP, SNAP)
    crossings = edges_to_intersections(
        [edge for edge in edges if _length(edge) >= SHORTEST], SNAP, SNAP
    )
    if len(crossings) > MOST_CROSSINGS:
        return []
    tables = []
    for cells in cells_to_tables(intersections_to_cells(crossings)):
        numbers = {cell: number for number, cell in enumerate(cells)}
        rows = [[numbers.get(cell, -1) for cell in row.cells] for row in Table(None, cells).rows]  # type: ignore[arg-type]
        words = [[word for word in view.words if _holds(cell, word)] for cell in cells]
        filled = [[bool(cell >= 0 and words[cell]) for cell in row] for row in rows]
        if (
            sum(map(any, filled)) > 1
            and len(rows[0]) > 1
            and sum(map(bool, words)) >= FILLED * len(cells)
        ):
            x0, top, x1, _ = Table(None, cells).bbox  # type: ignore[arg-type]
            tables.append(Ruled(x0, x1, top, rows, words))
    return tables


def _edge(stroke: Stroke) -> dict[str, Any]:
    upright = stroke.y1 - stroke.y0 > stroke.x1 - stroke.x0
    return {
        "x0": stroke.x0,
        "x1": stroke.x0 if upright else stroke.x1,
        "top": stroke.y0,
        "bottom": stroke.y1 if upright else stroke.y0,
        "doctop": stroke.y0,
        "width": 0 if upright else stroke.x1 - stroke.x0,
        "height": stroke.y1 - stroke.y0 if upright else 0,
        "orientation": "v" if upright else "h",
    }


def _length(edge: dict[str, Any]) -> float:
    return float(max(edge["x1"] - edge["x0"], edge["bottom"] - edge["top"]))


def _holds(cell: tuple[float, float, float, float], word: PageWord) -> bool:
    x, y = (word.x0 + word.x1) / 2, word.y - 0.3 * word.size
    return cell[0] <= x < cell[2] and cell[1] <= y < cell[3]


def merge(rows: Sequence[tuple[float, list[str]]]) -> list[list[str]]:
    """Rows of a table without rules; lines of one cell become one row.

    `rows` are pairs of a line's y and its cells. A line belongs to the row above it if its first
    cell is empty, and it is nearer than rows are or fills one cell only.
    """
    gaps = [below[0] - above[0] for above, below in pairwise(rows)]
    whole = [gap for gap, (_, cells) in zip(gaps, rows[1:], strict=True) if cells[0]]
    near = 0.85 * median(whole or [0.0])
    merged: list[list[str]] = []
    for number, (_, cells) in enumerate(rows):
        filled = sum(map(bool, cells))
        if merged and not cells[0] and (gaps[number - 1] < near or filled == 1):
            merged[-1] = [
                f"{above} {below}".strip() for above, below in zip(merged[-1], cells, strict=True)
            ]
        else:
            merged.append(list(cells))
    return merged
