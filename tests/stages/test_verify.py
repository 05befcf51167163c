from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from argot import Retriever
from argot.core.parquet import write_table
from argot.errors import ReleaseError
from argot.tables import judgments
from stages import verify
from tools.tiny.release import VERDICT

ASKED = [
    ("error E-17", ["pumps/noise.md#1"]),
    ("when are wages paid", ["pay.md#0"]),
    ("seal kits", ["pumps/seals.md#0"]),
]


def judged(query: str, relevant: list[str], value: float, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(judgments.METRICS, 0.0)
    row |= {
        "set": "questions",
        "split": "test",
        "id": query,
        "query": query,
        "kind": "",
        "cluster": "c",
        "seen": True,
    }
    return (
        row
        | {"system": VERDICT["system"], "relevant": relevant, "top": [], "ndcg@10": value}
        | changes
    )


def write(rows: list[dict[str, Any]]) -> None:
    write_table(judgments.PATH, rows, judgments.SCHEMA)


@pytest.fixture
def truth(inputs: Path) -> list[float]:
    """What the release really reaches, question by question."""
    retriever = Retriever.load(verify.RELEASE, device="cpu")
    return [verify.mean_ndcg([retriever.search(query)], [relevant]) for query, relevant in ASKED]


def test_a_release_as_good_as_its_evaluation_passes(truth: list[float]) -> None:
    rows = [judged(*asked, value) for asked, value in zip(ASKED, truth, strict=True)]
    rows += [
        judged(*asked, value, set="pairs") for asked, value in zip(ASKED[:2], truth, strict=False)
    ]
    # What the release is not held to: other systems and splits.
    rows += [
        judged("pump", ["pay.md#0"], 1.0, system="base"),
        judged("pump", ["pay.md#0"], 1.0, split="dev"),
    ]
    write(rows)
    assert "as evaluated" in verify.main()
    figures = json.loads(Path("data/figures/verify.json").read_text())
    assert figures["questions"]["queries"] == 3
    assert figures["pairs"]["queries"] == 2
    assert figures["questions"]["ndcg@10"] == pytest.approx(sum(truth) / 3)
    assert figures["questions"]["loss"] == pytest.approx(0)


def test_a_release_below_its_evaluation_is_refused(truth: list[float]) -> None:
    write([judged(*asked, value + 0.01) for asked, value in zip(ASKED, truth, strict=True)])
    with pytest.raises(
        ReleaseError, match=r"tuned\+bm25\+tokens was evaluated at .* a loss above verify\.max_loss"
    ):
        verify.main()


def test_no_test_query_at_all_is_refused(inputs: Path) -> None:
    write([judged("pump", ["pay.md#0"], 1.0, system="base")])
    with pytest.raises(ReleaseError, match=r"holds no test query for tuned\+bm25\+tokens"):
        verify.main()


def test_ndcg_is_worked_out_by_hand() -> None:
    class Found:
        def __init__(self, id: str) -> None:
            self.id = id

    one, two = [Found("a"), Found("b")], [Found("b")]
    assert verify.mean_ndcg([one, two, []], [["a"], ["a", "b"], ["a"]]) == pytest.approx(
        (1 + 1 / 1.6309297536 + 0) / 3
    )  # type: ignore[list-item]


def test_a_project_without_any_test_query_is_not_refused(inputs: Path) -> None:
    write([])
    assert "no test query" in verify.main()
