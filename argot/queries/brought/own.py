"""Argot's own form: a passage or a quote, or a whole document, and the queries that it answers.

{"document": "policies/returns.md", "quote": "Boxes come back within seven days",
 "queries": ["when is the box due?", {"query": "return period", "type": "keywords"}]}
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from argot.queries.brought.pair import BroughtPair
from argot.queries.brought.rows import Row, RowForm, checked
from argot.queries.refusals import Refused


class TypedQuery(RowForm):
    """A query, and a word for its kind."""

    query: str
    type: str = ""


class OwnRow(RowForm):
    """One row of the form."""

    document: str = ""
    heading: str = ""
    passage: str = ""
    quote: str = ""
    queries: list[str | TypedQuery] = Field(min_length=1)


def is_own(row: Row) -> bool:
    """Is the row of this form?"""
    return "queries" in row.values


def own_pairs(row: Row) -> Iterator[BroughtPair]:
    """The row's pairs, one a query."""
    found = checked(OwnRow, row)
    if found.passage and found.quote:
        raise Refused("malformed", "expected 'passage' or 'quote', got both")
    text = found.passage or found.quote
    for asked in found.queries:
        typed = TypedQuery(query=asked) if isinstance(asked, str) else asked
        yield BroughtPair(row.place, typed.query, found.document, found.heading, text, typed.type)
