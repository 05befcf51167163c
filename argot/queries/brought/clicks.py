"""A search log: what people searched, what they opened of what was found, and how often.

query,document,count
late box,policies/returns.md,12
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import AliasChoices, Field

from argot.queries.brought.pair import BroughtPair
from argot.queries.brought.rows import Row, RowForm, checked
from argot.queries.refusals import Refusals, Refused

COUNTS = ("count", "clicks")


class ClickRow(RowForm):
    """One row of the form; a document or a passage was opened."""

    query: str
    document: str = ""
    passage: str = ""
    # In CSV numbers are text.
    count: int = Field(ge=0, strict=False, validation_alias=AliasChoices(*COUNTS))


class Click(NamedTuple):
    """What was opened, and how often."""

    pair: BroughtPair
    times: int


def is_click(row: Row) -> bool:
    """Is the row of this form?"""
    return not row.values.keys().isdisjoint(COUNTS)


def click(row: Row) -> Click:
    """The row as a click."""
    found = checked(ClickRow, row)
    kind = "click"
    pair = BroughtPair(row.place, found.query, found.document, text=found.passage, kind=kind)
    return Click(pair, found.count)


def clicked_pairs(
    clicks: Iterable[Click], min_clicks: int, refusals: Refusals
) -> Iterator[BroughtPair]:
    """What was opened at least so often for a query, over all rows and files."""
    counts: dict[BroughtPair, int] = {}
    places: dict[BroughtPair, str] = {}
    for pair, times in clicks:
        query = " ".join(pair.query.lower().split())
        same = pair._replace(place="", query=query)
        places.setdefault(same, pair.place)
        counts[same] = counts.get(same, 0) + times
    for same, count in counts.items():
        if count >= min_clicks:
            yield same._replace(place=places[same])
        else:
            message = f"clicked {count} times, fewer than synthesize.min_clicks, {min_clicks}"
            refusals.add(places[same], Refused("few clicks", message))
