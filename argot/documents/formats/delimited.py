"""Tables as text (CSV): the separator is the one that makes the rows equally long."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from typing import NamedTuple

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.text import clean, decode, table

SAMPLE = 1 << 16
SEPARATORS = ",;\t|"
# Rows of the same length that make a separator credible, as a share.
EVEN = 0.9


class Fit(NamedTuple):
    """How well a separator fits, best last."""

    even: bool  # nearly all rows from the header on are equally long
    whole: bool  # the first row is the header
    share: float  # of rows that are as long as most
    width: int


def read_csv(data: bytes) -> Parsed:
    """Rows, separated by commas, semicolons, tabs or bars; lines before the header are text."""
    text = clean(decode(data))
    if not text.strip(f'{SEPARATORS}" \n'):
        return Parsed("csv", "")
    csv.field_size_limit(sys.maxsize)
    sample = (
        text[:SAMPLE] if len(text) <= SAMPLE else text[: text.rfind("\n", 0, SAMPLE) + 1 or SAMPLE]
    )
    try:
        separator = max(SEPARATORS, key=lambda candidate: _fit(_rows(sample, candidate)))
        rows = _rows(text, separator)
    except csv.Error:
        raise UnreadableError("corrupt csv") from None
    start = _header(rows) if _fit(_rows(sample, separator)).even else 0
    before = [" ".join(cell.strip() for cell in row if cell.strip()) for row in rows[:start]]
    return Parsed(
        "csv", "\n\n".join(part for part in ["\n".join(before), table(rows[start:])] if part)
    )


def _rows(text: str, separator: str) -> list[list[str]]:
    # A quote within quotes is doubled, as all programs write it. csv.Sniffer would guess it from
    # a sample, which may hold no quotes yet.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    return [row for row in reader if any(cell.strip() for cell in row)]


def _fit(rows: list[list[str]]) -> Fit:
    start, width = _header(rows), _width(rows)
    if width < 2:
        return Fit(False, False, 0.0, width)
    share = sum(len(row) == width for row in rows[start:]) / len(rows[start:])
    return Fit(share >= EVEN, start == 0, share, width)


def _width(rows: list[list[str]]) -> int:
    """How many cells most rows have."""
    lengths = Counter(map(len, rows))
    return max(lengths, key=lambda length: (lengths[length], length), default=0)


def _header(rows: list[list[str]]) -> int:
    width = _width(rows)
    return next((number for number, row in enumerate(rows) if len(row) == width), 0)
