from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from argot.project import template
from argot.project.folder import create
from argot.project.template import FILES, LINES, SOURCE


@pytest.fixture(scope="session")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project out of an empty folder: change only copies of it."""
    folder = tmp_path_factory.mktemp("team") / "handbook"
    assert not any("git ignores" in note for note in create(folder))
    return folder


@pytest.fixture
def project(created: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to change, and the working directory of the test."""
    copy = Path(shutil.copytree(created, tmp_path / "project", symlinks=True))
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the next Argot, which is the installed one while the test lasts: to change."""
    folder = tmp_path / "newer"
    for path in [
        path for pattern in (*FILES, *LINES, "numerics.lock") for path in SOURCE.glob(pattern)
    ]:
        (folder / path.relative_to(SOURCE)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.relative_to(SOURCE))
    monkeypatch.setattr(template, "SOURCE", folder)
    return folder
