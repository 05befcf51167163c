"""The test queries whose results changed most, with the passages that both systems returned."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from argot.core.parquet import read_table
from argot.evaluation.names import Sides
from argot.tables import chunks, judgments

SHOWN = 3  # passages of each system; the first relevant one is shown at any rank
LETTERS = 240  # of a passage
COLUMNS = [
    *("set", "split", "id", "query", "cluster", "seen", "system", "relevant", "top"),
    *("mrr@10", "ndcg@10"),
]
TINY = 1e-9  # changes of nDCG@10 below this are rounding


class ReturnedPassage(NamedTuple):
    """A passage that a system returned."""

    rank: int
    document: str
    heading: str
    page: str  # "page 3"; empty for a document without pages
    text: str
    relevant: bool


class ChangedQuery(NamedTuple):
    """A query, its nDCG@10 without and with tuning, and the best passages of both."""

    query: str
    before: float
    after: float
    found_before: list[ReturnedPassage]
    found_after: list[ReturnedPassage]

    @property
    def gain(self) -> float:
        """What tuning added."""
        return self.after - self.before


Shown = tuple[str, str, str, str]  # document, heading path, page, beginning of the text
Couple = tuple[dict[str, Any], dict[str, Any]]  # a query's rows of both systems


def read_judgments() -> pa.Table:
    """The rows of the test queries: real questions where there are some, and synthetic pairs."""
    table = read_table(judgments.PATH, judgments.SCHEMA, COLUMNS)
    return table.filter(pc.field("split") == "test")


def measured(table: pa.Table) -> str:
    """The set that the report is about: real questions, or pairs if there are none."""
    return "questions" if "questions" in table["set"].unique().to_pylist() else "pairs"


def changed_most(
    table: pa.Table, sides: Sides, count: int
) -> tuple[list[ChangedQuery], list[ChangedQuery]]:
    """The queries that gained most from one side to the other, and those that lost most.

    Each list begins with the largest change and has at most `count` queries.
    """
    rows = table.filter(pc.field("set") == measured(table))
    # Both sides sorted by the query's id, so that their rows match one by one.
    before, after = (
        rows.filter(pc.field("system") == system).sort_by("id").to_pylist() for system in sides
    )
    couples = sorted(zip(before, after, strict=True), key=lambda two: (-_gain(two), two[0]["id"]))
    gaining = [couple for couple in couples[:count] if _gain(couple) > TINY]
    losing = [couple for couple in couples[::-1][:count] if _gain(couple) < -TINY]
    shown = {chunk for couple in [*gaining, *losing] for row in couple for chunk in row["top"]}
    texts = _texts(shown)
    return [_case(couple, texts) for couple in gaining], [_case(couple, texts) for couple in losing]


def _gain(couple: Couple) -> float:
    return float(couple[1]["ndcg@10"] - couple[0]["ndcg@10"])


def _case(couple: Couple, texts: dict[str, Shown]) -> ChangedQuery:
    before, after = couple
    return ChangedQuery(
        before["query"],
        before["ndcg@10"],
        after["ndcg@10"],
        _found(before, texts),
        _found(after, texts),
    )


def _found(row: dict[str, Any], texts: dict[str, Shown]) -> list[ReturnedPassage]:
    relevant = set(row["relevant"])
    first = next((place for place, chunk in enumerate(row["top"]) if chunk in relevant), 0)
    places = [*range(min(SHOWN, len(row["top"]))), *([first] if first >= SHOWN else [])]
    return [
        ReturnedPassage(place + 1, *texts[row["top"][place]], row["top"][place] in relevant)
        for place in places
    ]


def _texts(wanted: set[str]) -> dict[str, Shown]:
    """Document, heading path, page and the beginning of the text of each wanted chunk."""
    table = read_table(chunks.PATH, chunks.SCHEMA, ["chunk", "document", "heading", "page", "text"])
    rows = table.filter(pc.is_in(table["chunk"], pa.array(sorted(wanted), pa.string()))).to_pylist()
    return {row["chunk"]: _shown(row) for row in rows}


def _shown(row: dict[str, Any]) -> Shown:
    name = row["document"]
    return name, row["heading"], chunks.page_name(name, row["page"]), _short(row["text"])


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LETTERS else f"{text[:LETTERS].rsplit(' ', 1)[0]} …"
