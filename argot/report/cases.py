"""The test queries that changed most, with what each system returned: where a person sees what a number means."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from argot.core.parquet import read_table
from argot.evaluation.names import Sides
from argot.tables import chunks, judgments

SHOWN = 3  # passages a system; the first relevant one is shown wherever it stands
LETTERS = 240
COLUMNS = ["set", "split", "id", "query", "cluster", "seen", "system", "relevant", "top", "ndcg@10"]
TINY = 1e-9


class Found(NamedTuple):
    """A passage that a system returned."""

    rank: int
    document: str
    heading: str
    text: str
    relevant: bool


class Case(NamedTuple):
    """A query, its nDCG@10 without and with tuning, and the best passages of both."""

    query: str
    before: float
    after: float
    found_before: list[Found]
    found_after: list[Found]

    @property
    def gain(self) -> float:
        """What tuning added."""
        return self.after - self.before


def read_judgments() -> pa.Table:
    """The test queries under every system: real questions where there are some, and synthetic pairs."""
    table = read_table(judgments.PATH, judgments.SCHEMA, COLUMNS)
    return table.filter(pc.field("split") == "test")


def measured(table: pa.Table) -> str:
    """The set that results are told of: real questions if there is one at all."""
    return "questions" if "questions" in table["set"].unique().to_pylist() else "pairs"


def changed_most(table: pa.Table, sides: Sides, count: int) -> tuple[list[Case], list[Case]]:
    """The queries that gained most from one side to the other, and those that lost most, the largest change first."""
    rows = table.filter(pc.field("set") == measured(table))
    found = [
        rows.filter(pc.field("system") == system).sort_by("id").to_pylist() for system in sides
    ]
    couples = list(zip(*found, strict=True))
    couples.sort(key=lambda couple: (couple[0]["ndcg@10"] - couple[1]["ndcg@10"], couple[0]["id"]))
    gaining = [couple for couple in couples[:count] if _gain(couple) > TINY]
    losing = [couple for couple in couples[::-1][:count] if _gain(couple) < -TINY]
    texts = _texts(
        {chunk for couple in [*gaining, *losing] for row in couple for chunk in row["top"]}
    )
    return [_case(couple, texts) for couple in gaining], [_case(couple, texts) for couple in losing]


def _gain(couple: tuple[dict[str, Any], ...]) -> float:
    return float(couple[1]["ndcg@10"] - couple[0]["ndcg@10"])


def _case(couple: tuple[dict[str, Any], ...], texts: dict[str, tuple[str, str, str]]) -> Case:
    before, after = couple
    return Case(
        before["query"],
        before["ndcg@10"],
        after["ndcg@10"],
        _found(before, texts),
        _found(after, texts),
    )


def _found(row: dict[str, Any], texts: dict[str, tuple[str, str, str]]) -> list[Found]:
    relevant = set(row["relevant"])
    first = next((place for place, chunk in enumerate(row["top"]) if chunk in relevant), 0)
    places = [*range(min(SHOWN, len(row["top"]))), *([first] if first >= SHOWN else [])]
    return [
        Found(place + 1, *texts[row["top"][place]], row["top"][place] in relevant)
        for place in places
    ]


def _texts(wanted: set[str]) -> dict[str, tuple[str, str, str]]:
    """Document, heading path and the beginning of the text of each wanted chunk."""
    table = read_table(chunks.PATH, chunks.SCHEMA, ["chunk", "document", "heading", "text"])
    rows = table.filter(pc.is_in(table["chunk"], pa.array(sorted(wanted), pa.string()))).to_pylist()
    return {row["chunk"]: (row["document"], row["heading"], _short(row["text"])) for row in rows}


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LETTERS else f"{text[:LETTERS].rsplit(' ', 1)[0]} …"
