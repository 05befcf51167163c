from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.tiny import dvc, project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project after one `dvc repro`, committed: look at it, but change only copies of it."""
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


def commit(workspace: Path) -> None:
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run([*git, "add", "-A"], cwd=workspace, check=True)
    subprocess.run([*git, "commit", "-qm", "run"], cwd=workspace, check=True)
