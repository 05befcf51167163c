"""Mined negatives before a judge: real clients, a local server that grades each passage as its text says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from argot.core.parquet import read_table
from argot.errors import ParamsError
from argot.tables import training
from stages import mine
from tests.stages.test_mine import project
from tools.tiny.provider import KEY, serving

REPOSITORY = Path(__file__).parents[2]
GRADES = [9, 0, 5, 8, 2, 6, 1, 10, 3, 7]


def prepare(folder: Path, url: str, **changed: Any) -> None:
    """Ten passages of as many documents, each with its grade in its text, and a query for each."""
    rows: list[dict[str, object]] = [
        {
            "chunk": f"c{n}",
            "document": f"d{n}",
            "group": f"d{n}",
            "position": 0,
            "text": f"anchor bilge part{n} grade{grade}",
        }
        for n, grade in enumerate(GRADES)
    ]
    project(folder, [f"anchor part{n}" for n in range(10)], rows)
    content = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    content["mine"].update(
        round_trip=10, candidates=6, skip_rate=0.0, judge_candidates=6, **changed
    )
    content["machine"]["llm"]["base_url"] = f"{url}/v1"
    content["synthesize"]["llm"].update(provider="openai", model="gpt-6-luna")
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def rows() -> list[dict[str, Any]]:
    return read_table(training.PATH, training.SCHEMA).to_pylist()


def test_negatives_that_answer_become_as_good_as_the_positive(tmp_path: Path) -> None:
    with serving() as server:
        prepare(tmp_path, server.url, judge=0)
        mine.main()
        before = {row["pair"]: row for row in rows()}
        assert server.provider.calls == []
        prepare(tmp_path, server.url, judge=7)
        mine.main()
        calls = len(server.provider.calls)
        mine.main()
        assert len(server.provider.calls) == calls == len(before)
    looked_at = 0
    for row in rows():
        old = before[row["pair"]]
        for place, candidate in enumerate(row["candidates"]):
            grade = GRADES[int(candidate[1:])]
            if old["masked"][place]:
                continue
            looked_at += 1
            assert row["masked"][place] == (grade >= mine.PARTIAL)
            promoted = (
                max(old["scores"][place], row["score"]) if grade >= 7 else old["scores"][place]
            )
            assert row["scores"][place] == promoted
    judged = json.loads(Path("data/figures/mine.json").read_text())["judge"]
    assert judged["graded"] == looked_at > 10
    assert judged["became_positives"] + judged["partial"] > 0
    assert judged["usd"] > 0


def test_a_judge_needs_a_model(tmp_path: Path) -> None:
    prepare(tmp_path, "http://127.0.0.1:9", judge=7)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("provider: openai", "provider: none"))
    with pytest.raises(
        ParamsError, match=r"mine\.judge: needs a model; set synthesize\.llm\.provider"
    ):
        mine.main()
