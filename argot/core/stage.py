"""How every stage runs: one of a name at a time, with its errors in one line."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from argot.core.extras import what_to_install
from argot.core.files import locked, write_json
from argot.core.installed import check_installed
from argot.core.terminal import printable
from argot.errors import ArgotError, InputError

# A thread that waits sleeps, where OpenMP would let it spin: two programs that spin take the cores
# from each other. OpenMP reads this when the first library that computes is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

FIGURES = Path("data/figures")
HERE = Path()
LIBRARIES = Path("numerics.lock")
LOCKED_AGAIN = "put it back: git checkout numerics.lock"
LOCKS = Path(".locks")
TIMINGS = Path("logs/timings.jsonl")
EXIT_CODES = (
    "Exit codes: 0, done; 1, a bug, with its traceback; 2, bad input or params or a full machine, "
    "in one line; 130, interrupted."
)
# Errors of the system that a person can mend: they are reported in one line, without a traceback.
MACHINE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EMFILE,
)
# A file where a folder should be, or the other way round.
MISPLACED = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
# Libraries written in Rust and C++ put the system's error number into their message.
NUMBER = re.compile(r"\b(?:os error|errno) (\d+)\b", re.IGNORECASE)
# numpy and tempfile report a full disk in their own words, and without the system's error number.
FULL_DISK = re.compile(r"\d+ requested and -?\d+ written|No usable temporary directory found in .*")
# How libraries report that memory is used up, where they raise no MemoryError.
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "can't start new thread",
    "failed to map segment",
    os.strerror(errno.ENOMEM),
)


def run(name: str, stage: Callable[[], str], home: Path = HERE) -> None:
    """Run a stage and print the line it returns; exit with 2 on bad input, 130 on Ctrl-C.

    The stage ends when the `dvc` that started it ends. That a stage of this name already runs in
    `home` is an error.
    """
    try:
        end_with_dvc()
        check_installed()
        _leave_out_pandas()
        busy = f"another '{name}' still runs in this folder; wait for it, or end it"
        with locked(home / LOCKS / name, busy):
            started = time.monotonic()
            line = stage()
            _log_time(name, time.monotonic() - started)
        print(f"{name}: {printable(line)}", flush=True)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = _blame(error)
        if isinstance(error, ArgotError):
            message = message or str(error)
        elif isinstance(error, ModuleNotFoundError):
            message = what_to_install(error)
        elif isinstance(error, OSError) and error.errno in MISPLACED and error.filename:
            message = message or f"{error.filename}: {error.strerror}; move away what is there"
        if not message:
            raise
        message = printable(" ".join(message.split()))
        print(f"{name}: error: {message}", file=sys.stderr, flush=True)
        sys.exit(2)


def stage_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser of the stage's command line; `--help` shows the description and exit codes."""
    return argparse.ArgumentParser(
        prog=f"python -m stages.{name}",
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run_in_home(name: str, stage: Callable[[Path], str]) -> None:
    """As `run`, for a stage that writes below the folder of `--home` (stages/refresh.yaml)."""
    parser = stage_parser(name, sys.modules[stage.__module__].__doc__)
    parser.add_argument("--home", type=Path, default=HERE, help="the folder to write below")
    home = parser.parse_args().home
    run(name, lambda: stage(home), home)


def counted(number: int, noun: str) -> str:
    """A number and its noun, for a stage's line: 1 query, 2,000 queries."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def write_figures(name: str, figures: dict[str, Any], home: Path = HERE) -> None:
    """Write data/figures/NAME.json below `home`: finite numbers and names, no times."""
    write_json(home / FIGURES / f"{name}.json", figures)


def read_times() -> dict[str, float]:
    """The seconds that the last run of each stage took on this machine, in the order of these runs.

    Empty where no stage ran here; a line that a crash damaged is left out.
    """
    times: dict[str, float] = {}
    with suppress(OSError, UnicodeDecodeError):
        for line in TIMINGS.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                run = json.loads(line)
                times.pop(run["stage"], None)
                times[str(run["stage"])] = float(run["seconds"])
    return times


def read_versions(path: Path = LIBRARIES) -> dict[str, str]:
    """The versions of the libraries that decide numbers, from lines such as numpy==2.4.6."""
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} is missing or damaged; {LOCKED_AGAIN}") from None
    for line in lines:
        if "==" not in line:
            raise InputError(f"{path}: expected NAME==VERSION, got '{line}'; {LOCKED_AGAIN}")
    return dict(line.split("==", 1) for line in lines)


def _blame(error: BaseException | None) -> str:
    """One line if the machine caused this error or one that led to it; otherwise empty."""
    while error is not None:
        text = "" if isinstance(error, ArgotError) else str(error)
        if isinstance(error, MemoryError) or any(words in text for words in NO_MEMORY):
            return "out of memory; close other programs, or run on a machine with more"
        number = _system_error(error, text)
        if number in MACHINE:
            place = getattr(error, "filename", None) or "disk"
            reason = os.strerror(number)
            return f"{place}: {reason}; earlier results are intact, `dvc checkout` brings them back"
        error = error.__cause__ or error.__context__
    return ""


def _system_error(error: BaseException, text: str) -> int:
    """The system's error number, from the exception or its message; 0 where there is none."""
    if FULL_DISK.search(text):
        return errno.ENOSPC
    named = NUMBER.search(text)
    number = getattr(error, "errno", None) or (int(named[1]) if named else 0)
    if number:
        return int(number)
    return next((known for known in MACHINE if os.strerror(known) in text), 0)


def end_with_dvc() -> None:
    """End this process when the `dvc` that started it is killed.

    Otherwise it could write into what the next run makes.
    """

    def watch() -> None:
        with suppress(OSError, psutil.Error):  # those are gone
            dvc = _starter()
            # Killed before this began, dvc left it to a process of another group; torchrun's have
            # one of their own.
            left = os.getsid(0) != os.getpid() and os.getpgid(dvc) != os.getpgrp()
            while _starter() == dvc and not left:
                time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    if "DVC_STAGE" in os.environ:
        threading.Thread(target=watch, daemon=True).start()


class _NoPandas:
    """A finder of modules that says that pandas is not installed."""

    @staticmethod
    def find_spec(name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _leave_out_pandas() -> None:
    """Let pyarrow find no pandas, which it imports with the first array: 0.4 s for nothing.

    Who asks a table for a data frame still gets one.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow and "pandas" not in sys.modules:
        sys.meta_path.insert(0, _NoPandas)
        arrow.array([])
        sys.meta_path.remove(_NoPandas)


def _starter() -> int:
    """The process that started this one, past the shell of its command.

    bash is replaced by the command that it runs, dash waits for it as its parent.
    """
    parent = psutil.Process(os.getppid())
    return int(parent.ppid() if "-m stages." in " ".join(parent.cmdline()[-1:]) else parent.pid)


def _log_time(name: str, seconds: float) -> None:
    TIMINGS.parent.mkdir(exist_ok=True)
    with TIMINGS.open("a", encoding="utf-8") as log:
        log.write(json.dumps({"stage": name, "seconds": round(seconds, 3)}) + "\n")
