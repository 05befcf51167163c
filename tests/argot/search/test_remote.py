from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from argot import Retriever
from argot.errors import ReleaseError
from argot.search.remote import fetch, is_remote


@pytest.fixture(scope="module")
def repository(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git and DVC repository: tag v1 holds the release, the branch after it doesn't."""
    root = tmp_path_factory.mktemp("repository")

    def do(*command: str) -> None:
        subprocess.run(command, cwd=root, check=True, capture_output=True)

    shutil.copytree(made / "models" / "release", root / "models" / "release")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com")
    dvc = (sys.executable, "-m", "dvc")
    do("git", "init", "-q")
    do(*dvc, "init", "-q")
    do(*dvc, "add", "-q", "models/release")
    do("git", "add", "-A")
    do(*git, "commit", "-qm", "release")
    do("git", "tag", "v1")
    do("git", "rm", "-q", "models/release.dvc")
    do(*git, "commit", "-qm", "none")
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_a_release_is_had_at_a_revision(repository: Path, made: Path) -> None:
    retriever = Retriever.load(str(repository), rev="v1", device="cpu")
    here = Retriever.load(made / "models" / "release", device="cpu")
    assert retriever.manifest == here.manifest
    assert retriever.search("E-17", 2, "bm25") == here.search("E-17", 2, "bm25")


def test_the_same_release_is_fetched_once(repository: Path) -> None:
    folder = fetch(str(repository), "v1")
    (folder / ".mark").touch()
    assert (fetch(str(repository), "v1") / ".mark").exists()


def test_a_revision_without_release_is_an_error(repository: Path) -> None:
    with pytest.raises(ReleaseError, match="has no models/release"):
        fetch(str(repository), "HEAD")


@pytest.mark.parametrize("rev", ["v9", "nothing-of-this-name"])
def test_an_unknown_revision_is_an_error(repository: Path, rev: str) -> None:
    with pytest.raises(ReleaseError, match=rev):
        fetch(str(repository), rev)


def test_addresses_are_distinguished_from_folders() -> None:
    assert is_remote("https://example.com/team/docs.git")
    assert is_remote("git@example.com:team/docs.git")
    assert not is_remote("models/release")
