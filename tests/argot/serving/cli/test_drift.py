from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from argot.core.parquet import write_table
from argot.feedback.drift import FEW
from argot.feedback.journal import FeedbackRecord, Journal
from argot.tables import questions
from tests.argot.serving.cli.test_search import argot

TESTED = [f"error E-{number} of the pump" for number in range(FEW + 10)]


def asked(folder: Path, queries: list[str]) -> None:
    """Keep queries as a server keeps what users ask."""
    journal = Journal(folder / "data/feedback", 1 << 20)
    for query in queries:
        journal.append(FeedbackRecord(kind="asked", query=query))
    journal.close()


@pytest.fixture
def tested(inputs: Path) -> Path:
    """The tiny repository, with enough test questions to compare."""
    rows: list[dict[str, Any]] = [
        {"question": f"{at:016x}", "query": query, "kind": "", "documents": [], "chunks": [],
         "cluster": query, "source": "a.jsonl"}
        for at, query in enumerate(TESTED)
    ]  # fmt: skip
    write_table(inputs / questions.PATHS["test"], rows, questions.SCHEMA)
    return inputs


def test_without_drift_the_code_is_0(tested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(tested, [f"error E-{number} of the pump" for number in range(100, 160)])
    assert argot(monkeypatch, "drift") == 0


def test_drift_has_a_code_of_its_own(
    tested: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(tested, [f"zanzibar {number} quux flub wibble wobble hooray" for number in range(60)])
    assert argot(monkeypatch, "drift") == 4
    assert "DRIFT unknown words" in capsys.readouterr().out
    assert argot(monkeypatch, "drift", "--json") == 4
    found = json.loads(capsys.readouterr().out)
    assert found["asked"] == 60 and found["drifted"]
    names = [one["name"] for one in found["differences"]]
    assert names == ["length", "unknown words", "best score"]
