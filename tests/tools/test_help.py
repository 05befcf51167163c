"""`--help` only describes a program, as it does for the stages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.deps import ROOT

PROGRAMS = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for path in [*sorted((ROOT / "tools").rglob("*.py")), ROOT / "argot/llm/share.py"]
    if "__main__" in path.read_text(encoding="utf-8") and "tiny" not in path.parts
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_runs_nothing(program: str, tmp_path: Path) -> None:
    before = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    asked = subprocess.run(
        [sys.executable, "-m", program, "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("usage:")
    assert not list(tmp_path.iterdir())
    after = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    assert before == after
