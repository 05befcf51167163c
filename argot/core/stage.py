"""How every stage runs: alone, with its errors told in one line."""

from __future__ import annotations

import argparse
import errno
import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from argot.core.extras import what_to_install
from argot.core.files import write_json
from argot.errors import ArgotError, InputError

FIGURES = Path("data/figures")
HERE = Path()
LOCKS = Path(".locks")
TIMINGS = Path("logs/timings.jsonl")
# What the machine, not the program, is to blame for: told in one line.
MACHINE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EMFILE,
)
# How libraries say so that raise another error; numpy and tempfile, where a disk is full.
NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "can't start new thread",
    "failed to map segment",
    os.strerror(errno.ENOMEM),
)
NO_SPACE = ("requested and", "No usable temporary directory")


def run(name: str, stage: Callable[[], str], home: Path = HERE) -> None:
    """Run a stage and print the line it returns; end the process with 2 on bad input, 130 on Ctrl-C.

    A stage ends with the `dvc` that started it; one of that name that still runs in `home` is an error.
    """
    try:
        end_with_dvc()
        with _alone(home / LOCKS, name):
            started = time.monotonic()
            line = stage()
            _log_time(name, time.monotonic() - started)
        print(f"{name}: {line}", flush=True)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = _blame(error)
        if isinstance(error, ArgotError):
            message = message or str(error)
        elif isinstance(error, ModuleNotFoundError):
            message = what_to_install(error)
        if not message:
            raise
        print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr, flush=True)
        sys.exit(2)


def run_in_home(name: str, stage: Callable[[Path], str]) -> None:
    """As `run`, for a stage that writes below this folder or below the one after `--home`: see stages/refresh.yaml."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, default=HERE, help="the folder to write below")
    home = parser.parse_args().home
    run(name, lambda: stage(home), home)


def write_figures(name: str, figures: dict[str, Any], home: Path = HERE) -> None:
    """Write data/figures/NAME.json below `home`: finite numbers and names, no times."""
    write_json(home / FIGURES / f"{name}.json", figures)


def read_figures(path: Path) -> dict[str, Any]:
    """A stage's figures; InputError if they are missing or damaged."""
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise InputError(f"{path} is missing or damaged; run `dvc repro`") from None
    return figures


def _blame(error: BaseException | None) -> str:
    """What the machine is to blame for, here or in what led to here; empty for anything else."""
    while error is not None:
        text = "" if isinstance(error, ArgotError) else str(error)
        if isinstance(error, MemoryError) or any(words in text for words in NO_MEMORY):
            return "out of memory; close other programs, or run on a machine with more"
        number = (
            errno.ENOSPC
            if any(words in text for words in NO_SPACE)
            else getattr(error, "errno", None)
        )
        reason = next(
            (
                os.strerror(known)
                for known in MACHINE
                if known == number or os.strerror(known) in text
            ),
            "",
        )
        if reason:
            place = getattr(error, "filename", None) or "disk"
            return f"{place}: {reason}; earlier results are intact, `dvc checkout` brings them back"
        error = error.__cause__ or error.__context__
    return ""


def end_with_dvc() -> None:
    """End this process when the `dvc` that started it is killed, lest it write into what the next run makes."""

    def watch() -> None:
        with suppress(OSError, psutil.Error):  # those are gone
            dvc = _starter()
            # Killed before this began, dvc left it to a process of another group; torchrun's have one of their own.
            left = os.getsid(0) != os.getpid() and os.getpgid(dvc) != os.getpgrp()
            while _starter() == dvc and not left:
                time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    if "DVC_STAGE" in os.environ:
        threading.Thread(target=watch, daemon=True).start()


def _starter() -> int:
    """The process that started this one, past the shell that ran its command: bash becomes the command, dash waits."""
    parent = psutil.Process(os.getppid())
    return int(parent.ppid() if "-m stages." in " ".join(parent.cmdline()[-1:]) else parent.pid)


@contextmanager
def _alone(locks: Path, name: str) -> Iterator[None]:
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / name).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another '{name}' still runs in this folder; wait for it, or end it"
            ) from None
        yield


def _log_time(name: str, seconds: float) -> None:
    TIMINGS.parent.mkdir(exist_ok=True)
    with TIMINGS.open("a", encoding="utf-8") as log:
        log.write(json.dumps({"stage": name, "seconds": round(seconds, 3)}) + "\n")
