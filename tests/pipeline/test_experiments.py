"""Experiments, as docs/experiments.md shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.workspaces import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("pipeline"),
    pytest.mark.usefixtures("warm_start"),
]


def test_an_experiment_stands_beside_its_baseline_and_can_be_kept(workspace: Path) -> None:
    told = run(workspace, "dvc", "exp", "run", "-n", "fewer", "-S", "release.min_questions=500")
    assert "Running stage 'evaluate'" in told and "Running stage 'train'" not in told
    rows = json.loads(run(workspace, "dvc", "exp", "show", "--json"))
    names = {each["name"] for row in rows for each in (row.get("experiments") or [])}
    assert "fewer" in names
    run(workspace, "git", "checkout", "-q", ".")
    run(workspace, "dvc", "exp", "apply", "fewer")
    assert "min_questions: 500" in (workspace / "params.yaml").read_text()


def test_a_grid_is_queued_and_run(workspace: Path) -> None:
    run(workspace, "dvc", "exp", "run", "--queue", "-S", "release.min_questions=500,600")
    assert run(workspace, "dvc", "queue", "status").count("Queued") == 2
    run(workspace, "dvc", "exp", "run", "--run-all")
    assert run(workspace, "dvc", "queue", "status").count("Success") == 2
