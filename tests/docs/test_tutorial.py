"""The tutorial does what it says: its commands, one after the other, in a fresh clone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.docs.commands import ROOT, commands

PERSON = {"GIT_AUTHOR_NAME": "reader", "GIT_AUTHOR_EMAIL": "reader@localhost"}
PERSON |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in PERSON.items()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tutorial_runs_from_its_first_command_to_its_last(tmp_path: Path) -> None:
    clone = tmp_path / "argot"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **PERSON, "PATH": path, "PYTHONPATH": str(clone), "COLUMNS": "200"}
    told = []
    for block in commands(ROOT / "docs/tutorial.md"):
        done = subprocess.run(
            ["bash", "-ec", block],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        told.append(done.stdout)
    output = "\n".join(told)
    assert "unproven" in output
    assert "ovens.md" in output and "retarder.md" in output and "allergens.md" in output
    assert "chunk.max_words" in output
    assert (tmp_path / "bakery-release/manifest.json").exists()
