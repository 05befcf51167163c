"""`make clear-sample`: the sample goes, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def clear(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "clear-sample"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with this one's Makefile and sample."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for name in ("raw", "queries"):
        shutil.copytree(ROOT / "data" / name, tmp_path / "data" / name)
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "user.name", "test")
    git(tmp_path, "config", "user.email", "test@localhost")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "Begin")
    return tmp_path


def test_the_whole_sample_goes_and_only_once(repository: Path) -> None:
    before = (repository / "params.yaml").read_text()
    assert clear(repository).returncode == 0
    after = before.replace('name: "Sample: a freight forwarder"', 'name: ""')
    assert (repository / "params.yaml").read_text() == after != before
    assert git(repository, "ls-files", "data").split() == ["data/queries/README.md"]
    assert (repository / "data/raw").is_dir() and not list((repository / "data/raw").iterdir())
    assert clear(repository).returncode == 0
    assert git(repository, "rev-list", "--count", "HEAD").strip() == "2"


def test_what_the_user_made_stays_and_is_not_committed(repository: Path) -> None:
    for name in ("data/raw/mine/a.md", "data/raw/faq/b.md", "data/queries/mine.jsonl", "STAGED"):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("my only copy")
    git(repository, "add", "STAGED")
    assert clear(repository).returncode == 0
    for name in ("data/raw/mine/a.md", "data/raw/faq/b.md", "data/queries/mine.jsonl", "STAGED"):
        assert (repository / name).read_text() == "my only copy"
    assert git(repository, "diff", "--cached", "--name-only").split() == ["STAGED"]
    assert not (repository / "data/queries/questions.jsonl").exists()


def test_a_sample_document_that_was_edited_stops_it(repository: Path) -> None:
    questions = repository / "data/queries/questions.jsonl"
    questions.write_text(questions.read_text() + "mine\n")
    assert clear(repository).returncode != 0
    assert questions.read_text().endswith("mine\n")
    assert len(git(repository, "ls-files", "data/raw").split()) > 80
