"""What the pipeline costs before it does anything: an idle `dvc repro`, and imports."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.track import Track
from tools.tiny.project import dvc, environment, project

# "import time: self [us] | cumulative | imported package"
SELF = re.compile(r"^import time:\s+(\d+) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project of the tests, its whole pipeline run once."""
    workspace = project(tmp_path_factory.mktemp("tiny"))
    result = dvc(workspace, "repro")
    assert result.returncode == 0, result.stdout + result.stderr
    return workspace


def commands(workspace: Path) -> list[str]:
    """Every stage's command, `foreach` unrolled."""
    found = []
    for stage in yaml.safe_load((workspace / "dvc.yaml").read_text(encoding="utf-8"))[
        "stages"
    ].values():
        for item in stage.get("foreach", {"": {}}).values():
            command = stage.get("do", stage)["cmd"]
            found.append(
                re.sub(r"\$\{item\.(\w+)\}", lambda match, item=item: item[match[1]], command)
            )
    return found


def imports(command: str, workspace: Path) -> float:
    """Seconds that a stage's process spends on imports, those inside functions included."""
    python, *arguments = shlex.split(command)
    assert python == "python"
    result = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=workspace, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sum(map(int, SELF.findall(result.stderr))) / 1e6


def test_nothing_to_do(race: Track, built: Path) -> None:
    assert "up to date" in dvc(built, "repro").stdout
    race.alone(
        "dvc repro, nothing to do",
        f"{len(commands(built))} stages",
        lambda: dvc(built, "repro"),
        at_most=1.5,
    )


def test_start_up_of_all_stages(race: Track, built: Path) -> None:
    every = commands(built)
    shares = {command: imports(command, built) for command in every}
    for command, seconds in sorted(shares.items(), key=lambda item: -item[1]):
        print(f"{seconds:6.2f} s  {command}")
    race.summed(
        "start-up of all stages",
        f"imports of {len(every)} processes",
        sum(shares.values()),
        at_most=15,
    )
