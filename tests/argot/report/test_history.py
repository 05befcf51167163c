from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from argot.report.history import data_version


def git(*arguments: str) -> None:
    own = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run([*own, *arguments], check=True)


def test_the_data_are_dated_by_their_own_commit_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    questions, report = Path("data/queries/questions.jsonl"), Path("reports/metrics.json")
    for path in (questions, report):
        path.parent.mkdir(parents=True)
        path.write_text("1", encoding="utf-8")
    assert data_version() is None  # no repository
    git("init", "-q")
    assert data_version() is None
    git("add", "data/queries")
    git("commit", "-qm", "Ask")
    version = data_version()
    assert version and len(version.date) == 10
    git("add", "reports")
    git("commit", "-qm", "Report")
    assert data_version() == version  # a commit of results is none of the data
    questions.write_text("2", encoding="utf-8")
    assert data_version() is None  # edited and not committed
