"""The pairs and triplets that sentence-transformers trains on, in its usual columns' names.

https://sbert.net/docs/sentence_transformer/dataset_overview.html: (anchor, positive), (query,
answer), (question, answer); negatives, `negative` or `negative_1` and so on, are not read: hard
negatives are mined from this corpus. A row whose `label` is 0 is no pair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import AliasChoices, Field

from argot.queries.brought.pair import BroughtPair
from argot.queries.brought.rows import Row, RowForm, checked
from argot.queries.refusals import Refused

ANCHORS, POSITIVES = ("anchor", "query", "question"), ("positive", "answer", "passage")
NEGATIVE = re.compile(r"negative(_\d+)?")


class PairRow(RowForm):
    """One row of the form, without its negatives."""

    anchor: str = Field(validation_alias=AliasChoices(*ANCHORS))
    positive: str = Field(validation_alias=AliasChoices(*POSITIVES))
    label: float = Field(1, strict=False)


def is_pair(row: Row) -> bool:
    """Is the row of this form?"""
    return not row.values.keys().isdisjoint(ANCHORS) and not row.values.keys().isdisjoint(POSITIVES)


def library_pairs(row: Row) -> Iterator[BroughtPair]:
    """The row's pair."""
    given = {name: cell for name, cell in row.values.items() if not NEGATIVE.fullmatch(name)}
    found = checked(PairRow, Row(row.place, given))
    if found.label <= 0:
        raise Refused("no positive", f"'label' is {found.label:g}: the row is no pair")
    yield BroughtPair(row.place, found.anchor, text=found.positive)
