"""How every stage runs: alone, with its errors told in one line."""

from __future__ import annotations

import errno
import fcntl
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argot.errors import ArgotError, InputError
from argot.files import write_json

FIGURES = Path("data/figures")
LOCKS = Path(".locks")
TIMINGS = Path("logs/timings.jsonl")
# What the machine, not the program, is to blame for: told in one line.
MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE}


def run(name: str, stage: Callable[[], str]) -> None:
    """Run a stage and print the line it returns; end the process with 2 on bad input, 130 on Ctrl-C.

    A stage of that name that still runs here (a killed `dvc` leaves its stage behind) is an error.
    """
    try:
        with _alone(name):
            started = time.monotonic()
            line = stage()
            _log_time(name, time.monotonic() - started)
        print(f"{name}: {line}", flush=True)
    except ArgotError as error:
        sys.exit(_told(name, str(error)))
    except MemoryError:
        sys.exit(_told(name, "out of memory; close other programs, or run on a machine with more"))
    except OSError as error:
        if error.errno not in MACHINE:
            raise
        sys.exit(_told(name, f"{error.filename or 'disk'}: {error.strerror}; earlier results are intact"))
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)


def write_figures(name: str, figures: dict[str, Any]) -> None:
    """Write data/figures/NAME.json: finite numbers and names, no times."""
    write_json(FIGURES / f"{name}.json", figures)


def _told(name: str, message: str) -> int:
    print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return 2


@contextmanager
def _alone(name: str) -> Iterator[None]:
    LOCKS.mkdir(exist_ok=True)
    with (LOCKS / name).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another '{name}' still runs in this folder; wait for it, or end it") from None
        yield


def _log_time(name: str, seconds: float) -> None:
    TIMINGS.parent.mkdir(exist_ok=True)
    with TIMINGS.open("a", encoding="utf-8") as log:
        log.write(json.dumps({"stage": name, "seconds": round(seconds, 3)}) + "\n")
