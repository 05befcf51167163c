"""The tutorial does what it says: its commands, one after the other, in a fresh clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.docs.commands import ROOT, commands
from tools.workspace import environment

PERSON = {"GIT_AUTHOR_NAME": "reader", "GIT_AUTHOR_EMAIL": "reader@localhost"}
PERSON |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in PERSON.items()}


@pytest.mark.slow
@pytest.mark.xdist_group("tutorial")
@pytest.mark.usefixtures("warm_start")
@pytest.mark.timeout(1800)
def test_the_tutorial_runs_from_its_first_command_to_its_last(tmp_path: Path) -> None:
    clone = tmp_path / "argot"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    variables = {**environment(), **PERSON, "PYTHONPATH": str(clone), "COLUMNS": "200"}
    told = []
    for block in commands(ROOT / "docs/tutorial.md"):
        done = subprocess.run(
            ["bash", "-ec", block],
            cwd=clone,
            env=variables,
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
