import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from argot.core.stage import counted, read_versions, run
from argot.errors import InputError, ModelError
from tools.deps import ROOT


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ended_with(stage: object) -> int:
    with pytest.raises(SystemExit) as end:
        run("chunk", stage)  # type: ignore[arg-type]
    return int(end.value.code or 0)


def raising(error: BaseException) -> object:
    def stage() -> str:
        raise error

    return stage


def test_a_stage_ends_with_its_line_and_logs_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    run("chunk", lambda: "2 documents → 5 chunks")
    assert capsys.readouterr().out == "chunk: 2 documents → 5 chunks\n"
    assert json.loads(Path("logs/timings.jsonl").read_text())["stage"] == "chunk"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InputError("data/raw is empty"), "chunk: error: data/raw is empty\n"),
        (
            MemoryError(),
            "chunk: error: out of memory; close other programs, or run on a machine with more\n",
        ),
        (
            ImportError("libtorch_cpu.so: failed to map segment from shared object"),
            "chunk: error: out of memory; ",
        ),
        (RuntimeError("can't start new thread"), "chunk: error: out of memory; "),
        (
            OSError(errno.ENOSPC, "No space left on device", "x"),
            "chunk: error: x: No space left on device; ",
        ),
        (OSError("512 requested and 80 written"), "chunk: error: disk: No space left on device; "),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            "chunk: error: disk: No space left on device; ",
        ),
        (
            OSError("[Errno 122] Error writing bytes to file"),
            "chunk: error: disk: Disk quota exceeded; ",
        ),
        (
            RuntimeError("I/O error: File too large (os error 27)"),
            "chunk: error: disk: File too large; ",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "x"),
            "chunk: error: x: Permission denied; ",
        ),
    ],
)
def test_what_a_person_can_mend_is_told_in_one_line(
    error: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_with(raising(error)) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(told) and printed.count("\n") == 1


def test_what_the_machine_is_to_blame_for_is_told_whatever_was_made_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stage() -> str:
        try:
            raise MemoryError
        except MemoryError:
            raise ModelError("models/base can't be loaded") from None

    assert ended_with(stage) == 2
    assert "out of memory" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run("chunk", raising(ZeroDivisionError()))  # type: ignore[arg-type]


def test_ctrl_c_ends_with_130() -> None:
    assert ended_with(raising(KeyboardInterrupt())) == 130


def test_the_second_of_two_says_that_the_first_still_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(".locks").mkdir()
    with Path(".locks/chunk").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert ended_with(lambda: "never") == 2
    assert "another 'chunk' still runs in this folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["2 passages requested and none written", "the page requested and more"]
)
def test_words_that_only_look_like_a_full_disk_are_a_bug(text: str) -> None:
    with pytest.raises(ValueError, match="requested"):
        run("chunk", raising(ValueError(text)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py")))
def test_help_of_a_stage_runs_nothing(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"stages.{name}", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith(f"usage: python -m stages.{name} ")
    assert "Exit codes:" in shown.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"numpy 2.4.6", b"numpy==2.4.6\nscipy", b"\xff"])
def test_versions_that_are_no_lock_are_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "numerics.lock").write_bytes(content)
    with pytest.raises(InputError, match="git checkout"):
        read_versions(tmp_path / "numerics.lock")


def test_a_number_and_its_noun() -> None:
    assert [counted(n, "query") for n in (0, 1, 2000)] == ["0 queries", "1 query", "2,000 queries"]
    assert counted(1, "stub") == "1 stub"
