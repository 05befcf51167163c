"""What tests do with a workspace of the tiny project: run commands, commit, clone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tools.tiny.project import environment


def run(workspace: Path, *command: str) -> str:
    result = subprocess.run(
        command, cwd=workspace, env=environment(), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def commit(workspace: Path) -> None:
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run([*git, "add", "-A"], cwd=workspace, check=True)
    subprocess.run([*git, "commit", "-qm", "run"], cwd=workspace, check=True)


def clone(workspace: Path, target: Path) -> Path:
    run(workspace.parent, "git", "clone", "-q", str(workspace), str(target))
    local = workspace / ".dvc/config.local"
    # The cache's place is of one machine and stays behind; the key for the server goes along.
    text = "".join(
        f"[{part}" for part in local.read_text().split("[")[1:] if not part.startswith("cache]")
    )
    (target / ".dvc/config.local").write_text(text)
    return target


def ran(output: str) -> list[str]:
    """The stages that a `dvc repro` really ran, in order."""
    return re.findall(r"Running stage '(.+?)'", output)
