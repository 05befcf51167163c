"""Races run by hand; those that set up a whole release run here too, so that they still can."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.deps import ROOT
from tools.tiny.project import environment


@pytest.mark.slow
@pytest.mark.parametrize(
    "race", ["test_server.py::test_serving[8]", "test_query.py", "test_refresh.py"]
)
def test_a_race_runs(race: str) -> None:
    options = ["-m", "", "-W", "default", "-p", "no:cacheprovider", "--small"]
    command = [sys.executable, "-m", "pytest", f"benchmarks/{race}", *options]
    # Inside one of several workers of pytest nothing would be timed.
    given = {key: value for key, value in environment().items() if "XDIST" not in key}
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
