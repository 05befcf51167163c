from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from argot.core.files import write_json
from argot.core.stage import TIMINGS
from argot.errors import InputError
from argot.evaluation.names import ALWAYS
from argot.report.history import VERDICT
from argot.report.terminal import (
    COLUMNS,
    EVALUATED,
    EVALUATION,
    print_results,
    read_evaluation,
)

SYSTEM = {system: dict.fromkeys(COLUMNS, at / 10) for at, system in enumerate(ALWAYS, start=1)}
NOTHING: dict[str, object] = {}
TEXT = {
    "verdict": "base",
    "ships": "base+bm25",
    "reason": "no [bold]sure[/bold] gain " + "x" * 90,
    "power": "These test queries prove little",
    "advice": [
        {"code": "a", "text": "Ask.", "command": "argot label"},
        {"code": "b", "text": "Wait.", "command": ""},
    ],
}


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, questions: dict[str, object]) -> str:
    monkeypatch.chdir(folder)
    own = {"questions": questions, "pairs": {"test": SYSTEM}, "text": TEXT, "verdict": {"looks": 1}}
    write_json(EVALUATION, dict.fromkeys(EVALUATED, NOTHING) | own)
    output = io.StringIO()
    print_results(Console(file=output, width=80))
    return output.getvalue()


def test_systems_verdict_and_advice_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = told(tmp_path, monkeypatch, {"test": SYSTEM})
    assert "Test: real questions" in text
    assert "tuned + BM25" in text and "0.500" in text
    assert text.count("(ships)") == 1 and "base + BM25 (ships)" in text
    assert (
        f"verdict: base: {TEXT['reason']}\nThese test queries prove little.\n"
        "- Ask.\n  argot label\n- Wait.\n" in text
    )  # in one line, and no markup of a stranger's
    assert "reports/index.html" in text


def test_each_stage_has_the_time_of_its_last_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "times:" not in told(tmp_path, monkeypatch, {})
    TIMINGS.parent.mkdir()
    runs = [("chunk", 9.0), ("train", 182.34), ("chunk", 0.41)]
    lines = [json.dumps({"stage": stage, "seconds": seconds}) for stage, seconds in runs]
    TIMINGS.write_text("\n".join([*lines, '{"stage": "tr']), encoding="utf-8")
    assert "times:   train 182.3 s, chunk 0.4 s\n" in told(tmp_path, monkeypatch, {})


def test_verdicts_beyond_the_looks_allowed_for_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "verdicts are in git" not in told(tmp_path, monkeypatch, {})
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run([*git, "init", "-q"], check=True)
    for run in range(3):
        write_json(Path(VERDICT), {"reason": str(run)})
        subprocess.run([*git, "add", VERDICT], check=True)
        subprocess.run([*git, "commit", "-qm", "Record a run"], check=True)
    text = told(tmp_path, monkeypatch, {})
    assert "3 verdicts are in git, and `release.looks` allows for 1:" in text


def test_without_questions_the_table_is_of_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "synthetic pairs: there are no real questions" in told(tmp_path, monkeypatch, {})


def test_before_a_run_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing or damaged; run `dvc repro`"):
        read_evaluation(tmp_path / "evaluate.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"[" * 100_000, b"\xff"])
def test_damaged_figures_are_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "evaluate.json").write_bytes(content)
    with pytest.raises(InputError, match="run `dvc repro`"):
        read_evaluation(tmp_path / "evaluate.json")


@pytest.mark.parametrize(
    "questions", [[], {"test": 7}, {"test": {"base": {}}}, {"test": {"base": {"ndcg@10": "x"}}}]
)
def test_figures_damaged_inside_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, questions: Any
) -> None:
    with pytest.raises(InputError, match=r"evaluate\.json: damaged figures.*run `dvc repro`"):
        told(tmp_path, monkeypatch, questions)
