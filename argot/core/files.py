"""Files that appear whole or not at all: written beside, flushed to disk, renamed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argot.errors import InputError

BESIDE = ".beside"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file name beside `path`; what the block writes there replaces `path` when it ends.

    If the block raises, or the process is killed, `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + BESIDE)
    _remove(beside)
    try:
        yield beside
        _flush(beside)
        if path.is_dir():
            _remove(path)
        beside.replace(path)
        _flush(path.parent)
    finally:
        _remove(beside)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As `replacing`, for a folder: the block fills an empty folder beside `path`."""
    with replacing(path) as beside:
        beside.mkdir()
        yield beside
        for file in sorted(beside.rglob("*")):
            _flush(file)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys; NaN and infinity raise ValueError."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def read_figures(path: Path, needed: Sequence[str] = ()) -> dict[str, Any]:
    """A stage's figures; InputError if they are missing or damaged, or lack a `needed` key."""
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise InputError(
            f"{path} is missing or damaged; run `dvc repro`, or `dvc pull` where it was run before"
        ) from None
    if not isinstance(figures, dict):
        raise InputError(f"{path} holds no figures; run `dvc repro`")
    for key in needed:
        if key not in figures:
            raise InputError(f"{path} holds no '{key}'; run `dvc repro`")
    return figures


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock on `path` inside the block; InputError with the text `busy` if another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(busy) from None
        yield


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
