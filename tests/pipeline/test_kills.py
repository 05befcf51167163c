"""kill -9 at any moment, full disks, folders that can't be written, no memory, two runs at once: nothing half-done stays."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from voluptuous import Invalid

from argot.core.files import sha256
from argot.core.parquet import write_table
from argot.tables import documents
from tools.tiny.project import dvc, environment, project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]

KILLS, LONGEST = 20, 8.0
STAGES = (
    "ingest", "chunk", "lexical", "questions", "synthesize", "fetch", "embed base passages", "mine", "train",
    "evaluate", "index", "verify", "report",
)  # fmt: skip


def start(workspace: Path, shell: str = "/bin/sh") -> subprocess.Popen[str]:
    """A dvc with a process group of its own, as one has that is started at a prompt or by a service."""
    output = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "process_group": 0,
    }
    return subprocess.Popen(
        ["dvc", "repro"], cwd=workspace, env={**environment(), "SHELL": shell}, **output
    )  # type: ignore[call-overload, no-any-return]


def stage_of(run: subprocess.Popen[str]) -> list[int]:
    """The processes of the stage that a dvc runs: a shell, Python, and those it started."""
    return [int(process.pid) for process in psutil.Process(run.pid).children(recursive=True)]


def left_in(workspace: Path) -> list[psutil.Process]:
    """The processes whose folder is the workspace, when they have had two seconds to end."""
    end = time.monotonic() + 2
    while (left := list(_running(workspace))) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def _running(workspace: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(workspace):
                yield process


def start_again(workspace: Path, source: Path) -> None:
    """The project as nothing had run in it."""
    for folder in (workspace, source.parent / "cache"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, workspace, symlinks=True)


def drop_cut_locks(workspace: Path) -> None:
    """Remove the files that DVC writes in place where a kill has cut them short: no later run could read them (README)."""
    for name, check in ((".dvc/tmp/rwlock", json.loads), ("dvc.lock", read_lock)):
        with suppress(FileNotFoundError):
            try:
                check((workspace / name).read_text(encoding="utf-8"))
            except (ValueError, yaml.YAMLError, Invalid):
                (workspace / name).unlink()


def read_lock(text: str) -> None:
    """What DVC asks of dvc.lock."""
    COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(text))


@pytest.mark.usefixtures("warm_start")
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_lock_that_a_kill_has_cut_short_is_made_again_of_what_was_run(
    workspace: Path, share: float
) -> None:
    lock = workspace / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[: int(share * len(whole))].rpartition(b":")[0])
    assert dvc(workspace, "repro").returncode != 0
    drop_cut_locks(workspace)
    told = dvc(workspace, "repro")
    assert told.returncode == 0, told.stderr
    assert re.findall("Running stage '(.+)'", told.stdout) == [
        "report"
    ]  # of metrics in git DVC keeps no copy
    assert lock.read_bytes() == whole


def test_killed_at_any_moment_the_next_run_ends_as_an_undisturbed_one(
    built: Path, tmp_path: Path
) -> None:
    seed = int(os.environ.get("ARGOT_SEED", random.SystemRandom().randrange(10**6)))
    print(f"ARGOT_SEED={seed}")
    chance = random.Random(seed)
    source, workspace = project(tmp_path), tmp_path / "killed"
    shutil.copyfile(built / "params.yaml", source / "params.yaml")
    start_again(workspace, source)
    killed: list[str] = []
    while len(killed) < KILLS:
        drop_cut_locks(workspace)
        moment, victim = (
            time.monotonic() + chance.uniform(0, LONGEST),
            chance.choice(["dvc", "stage"]),
        )
        with start(workspace) as run:
            while time.monotonic() < moment and run.poll() is None:
                time.sleep(0.01)
            if run.poll() is None:
                with suppress(
                    ProcessLookupError, psutil.NoSuchProcess
                ):  # it ended this very moment
                    running = (stage_of(run) if victim == "stage" else []) or [run.pid]
                    os.kill(chance.choice(running), signal.SIGKILL)
                    killed.append(victim)
            elif run.returncode == 0:
                start_again(workspace, source)
    drop_cut_locks(workspace)
    last = dvc(workspace, "repro")
    assert last.returncode == 0, f"ARGOT_SEED={seed}: {last.stdout}{last.stderr}"
    assert (workspace / "dvc.lock").read_bytes() == (built / "dvc.lock").read_bytes(), (
        f"ARGOT_SEED={seed}"
    )
    assert dvc(workspace, "status").stdout.strip() == "Data and pipelines are up to date."
    assert not left_in(workspace)
    assert not [path for path in workspace.rglob("*.beside") if "cache" not in path.parts]


@contextmanager
def training(workspace: Path, shell: str = "/bin/sh") -> Iterator[subprocess.Popen[str]]:
    """A dvc whose first stage, train, has been started."""
    with (workspace / "stages/train.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    with start(workspace, shell) as run:
        while not stage_of(run):
            time.sleep(0.01)
        yield run


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
@pytest.mark.parametrize("seconds", [0, 2], ids=["as it starts", "at work"])
def test_a_stage_ends_with_its_dvc(workspace: Path, shell: str, seconds: float) -> None:
    with training(workspace, shell) as run:
        time.sleep(seconds)
        run.kill()
    assert not left_in(workspace)


def test_the_second_of_two_runs_says_that_there_is_a_first(workspace: Path) -> None:
    with training(workspace) as first:
        second = dvc(workspace, "repro")
        assert (
            second.returncode != 0 and "is busy" in second.stderr and "dvc repro" in second.stderr
        ), second.stderr
        told, _ = first.communicate()
    assert first.returncode == 0, told


def results(workspace: Path) -> dict[str, str]:
    """All that stages wrote, by its hash."""
    files = (
        path for folder in ("data", "models", "reports") for path in (workspace / folder).rglob("*")
    )
    return {str(path.relative_to(workspace)): sha256(path) for path in files if path.is_file()}


def run_limited(workspace: Path, stage: str, limit: int) -> subprocess.CompletedProcess[str]:
    """Run a stage that may write no file longer than `limit` bytes, as on a disk that is full."""
    command = ["python", "-m", *f"stages.{stage}".split()]
    return subprocess.run(
        command, cwd=workspace, env=environment(), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip


@pytest.mark.usefixtures("warm_start")
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_told_in_one_line_and_earlier_results_are_intact(
    workspace: Path, stage: str
) -> None:
    before = results(workspace)
    shutil.rmtree(workspace / "cache")
    for limit in (0, 1000):
        result = run_limited(workspace, stage, limit)
        if limit and stage == "verify":
            assert result.returncode == 0, "its figures are shorter"
            continue
        assert result.returncode == 2, result.stderr
        assert result.stderr.splitlines()[-1].endswith(
            "earlier results are intact, `dvc checkout` brings them back"
        )
        assert "Traceback" not in result.stderr
    assert results(workspace) == before


@pytest.mark.parametrize("closed", ["data", "."])
def test_a_folder_that_cant_be_written_is_told_in_one_line(workspace: Path, closed: str) -> None:
    before = results(workspace)
    shutil.rmtree(workspace / ".locks")
    (workspace / closed).chmod(0o555)
    # Root may write anywhere, but for this.
    as_anyone = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    command = [*as_anyone, sys.executable, "-m", "stages.chunk"]
    result = subprocess.run(
        command, cwd=workspace, env=environment(), capture_output=True, text=True, check=False
    )
    (workspace / closed).chmod(0o755)
    assert result.returncode == 2
    assert (
        "Permission denied; earlier results are intact" in result.stderr
        and result.stderr.count("\n") == 1
    )
    assert results(workspace) == before


NO_MEMORY = """
import resource, runpy
runpy.run_module("stages.chunk", run_name="__main__")
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 200_000_000
resource.setrlimit(resource.RLIMIT_AS, (taken, taken))
import os
os.replace("huge.parquet", "data/documents.parquet")
runpy.run_module("stages.chunk", run_name="__main__")
"""


def test_too_little_memory_is_told_in_one_line(workspace: Path) -> None:
    document = {
        field.name: "words of a long document. " * 4_000_000 if field.name == "text" else "en"
        for field in documents.SCHEMA
        if not field.nullable
    }
    write_table(
        workspace / "huge.parquet",
        pa.Table.from_pylist([document], documents.SCHEMA),
        documents.SCHEMA,
    )
    chunks = sha256(workspace / "data/chunks.parquet")
    command = [sys.executable, "-c", NO_MEMORY]
    result = subprocess.run(
        command, cwd=workspace, env=environment(), capture_output=True, text=True, check=False
    )
    assert result.returncode == 2, result.stderr
    assert (
        result.stderr
        == "chunk: error: out of memory; close other programs, or run on a machine with more\n"
    )
    assert sha256(workspace / "data/chunks.parquet") == chunks
