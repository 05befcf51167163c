"""What the report says first: how many questions the release answers, and word search alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from argot.evaluation.names import BM25, Sides, name, with_bm25
from argot.report.cases import measured

PLENTY = 100  # of fewer queries the count itself is given, not how many of a hundred


class Answered(NamedTuple):
    """For how many queries a system has a passage that answers among its first ten."""

    label: str
    system: str
    answered: int
    queries: int
    ships: bool

    @property
    def share(self) -> float:
        """The share of queries that are answered, in [0, 1]."""
        return self.answered / self.queries

    @property
    def in_words(self) -> str:
        """The share for people: 69 of 100, or 5 of 7 where there are fewer than a hundred."""
        if self.queries < PLENTY:
            return f"{self.answered} of {self.queries}"
        return f"{100 * self.share:.0f} of 100"


def ladder(table: pa.Table, evaluation: Mapping[str, Any], sides: Sides) -> list[Answered]:
    """Word search, the general model with it, what ships, and tuned: each once, in this order.

    `table` holds the judgments of the test; empty where it has no query.
    """
    ships = evaluation["text"]["ships"]
    labels = {
        BM25: "word search alone",
        with_bm25(sides.stays.partition("+")[0]): "words and a general model",
        sides.stays: "without tuning",
        sides.ships: "with tuning",
    }
    labels.setdefault(ships, "what ships")
    rows = table.filter(pc.field("set") == measured(table))
    found = []
    for system, label in labels.items():
        # The reciprocal rank is 0 exactly where none of the first ten passages answers.
        ranks = rows.filter(pc.field("system") == system)["mrr@10"]
        if len(ranks):
            answered = int(pc.sum(pc.greater(ranks, 0)).as_py())
            found.append(Answered(label, name(system), answered, len(ranks), system == ships))
    return found


def headline(rungs: Sequence[Answered], unit: str) -> str:
    """What the release finds and word search alone finds, in a sentence; empty without a query."""
    release = next((rung for rung in rungs if rung.ships), None)
    if release is None:
        return ""
    found = f"finds the answer among the first ten passages for {release.in_words} {unit}"
    if release is rungs[0]:
        return f"Word search alone {found}, and ships."
    return f"Search {found}; word search alone for {rungs[0].in_words.partition(' ')[0]}."
