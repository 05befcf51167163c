from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.warm import put_first
from tests.support.workspaces import commit
from tools.tiny.project import dvc, project


@pytest.fixture(scope="session")
def built(warm_programs: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project after one `dvc repro`, committed: look at it, but change only copies of it."""
    with put_first(warm_programs):
        workspace = project(tmp_path_factory.mktemp("tiny"))
        result = dvc(workspace, "repro")
    assert result.returncode == 0, result.stdout + result.stderr
    commit(workspace)
    return workspace


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Path:
    """A copy of the built project, to change and run again; it shares the DVC cache."""
    copy = tmp_path / "workspace"
    shutil.copytree(built, copy, symlinks=True)
    return copy
