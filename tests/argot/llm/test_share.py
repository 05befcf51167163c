"""Replies through real git and dvc: two branches add some, a merge keeps all; a clone without a remote still runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from argot.llm.calls.store import REPLIES, Store
from tests.argot.llm.calls.test_store import reply

REPOSITORY = Path(__file__).parents[3]
pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    for name in (
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
    ):
        monkeypatch.setenv(name, "test@example.org")
    folder = tmp_path / "one"
    folder.mkdir()
    os.chdir(folder)
    do("git init -q -b main .", "dvc init -q", f"dvc remote add -q -d store {tmp_path / 'remote'}")
    for name in (".gitattributes", ".gitignore"):
        Path(name).write_text((REPOSITORY / name).read_text())
    do("git add .", "git commit -qm start")
    return folder


def do(*lines: str) -> str:
    out = ""
    for line in lines:
        done = subprocess.run(line.split(), capture_output=True, text=True)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        out = done.stdout
    return out


def buy(*keys: str) -> None:
    with Store() as store:
        for key in keys:
            store.add(reply(key))


def share(way: str) -> str:
    return do(f"{sys.executable} -m argot.llm.share {way}")


def keys() -> list[str]:
    with Store() as store:
        return [found.key for found in store]


def test_two_branches_that_add_replies_merge_without_conflict(repository: Path) -> None:
    buy("a")
    assert "tracked and pushed; commit data/replies.dvc" in share("push")
    do("git add .", "git commit -qm a", "git checkout -qb other")
    buy("b")
    share("push")
    do("git commit -qam b", "git checkout -q main", "dvc checkout -q")
    assert keys() == ["a"]
    buy("c")
    share("push")
    do("git commit -qam c", "git merge -q --no-edit other")
    share("pull")
    assert keys() == ["a", "b", "c"]


def test_a_clone_pulls_all_and_adds_its_own(repository: Path) -> None:
    buy("a")
    share("push")
    do("git add .", "git commit -qm a")
    os.chdir(repository.parent)
    do("git clone -q one two")
    os.chdir("two")
    buy("b")  # bought before pulling: nothing of either side may go
    share("push")
    assert keys() == ["a", "b"]
    assert len(list(REPLIES.glob("*.jsonl"))) == 2
    assert "replies.dvc" in do("git status --short")


def test_a_clone_that_reaches_no_remote_says_so_and_forgets_nothing(repository: Path) -> None:
    buy("a")
    share("push")
    do("git add .", "git commit -qm a")
    os.chdir(repository.parent)
    do("git clone -q one three")
    os.chdir("three")
    do("dvc remote modify -q store url /nowhere/at/all")
    before = Path("data/replies.dvc").read_text()
    assert "could not be fetched; is a remote set?" in share("pull")
    buy("b")
    assert "nothing pushed" in share("push")
    assert Path("data/replies.dvc").read_text() == before
    assert keys() == ["b"]


def test_before_the_first_reply_there_is_nothing_to_share(repository: Path) -> None:
    assert "no replies are tracked yet" in share("pull")
    assert "no replies yet" in share("push")
