"""What users ask and think, kept on disk before it is acknowledged, and read again for review.

One JSON object a line, in a file a day (UTC). Anyone may have sent it: until a person has said yes to it, it is
material for review and for `argot drift`, and trains and measures nothing.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

FOLDER = Path("data/feedback")
Verdict = Literal["up", "down"]


class Record(BaseModel):
    """One line: a question that was asked, or a thumb for a passage that was shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: Literal["asked", "thumb"]
    query: str
    time: str = ""  # UTC, to the second
    verdict: Verdict | None = None
    document: str = ""
    chunk: str = ""
    quote: str = ""
    comment: str = ""
    release: str = ""
    mode: str = ""


class Full(Exception):
    """The feedback files have reached their limit."""


class Journal:
    """Appends records durably. Many writers share one fsync: a thread writes whatever has come up to then."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder, self.most_bytes = folder, most_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._size = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
        self._lines: queue.SimpleQueue[tuple[bytes, Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> Future[None]:
        """Write a record; the future is done when it is on the disk. Raises Full, with nothing written."""
        stamped = {
            **record.model_dump(exclude_defaults=True),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        line = json.dumps(stamped, ensure_ascii=False).encode() + b"\n"
        if self._size + len(line) > self.most_bytes:
            raise Full(f"{self.folder} holds {self._size} bytes, and may hold {self.most_bytes}")
        self._size += len(line)
        done: Future[None] = Future()
        self._lines.put((line, done))
        return done

    def close(self) -> None:
        """Write what has come, and end."""
        self._lines.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            waiting = [self._lines.get()]
            while not self._lines.empty():
                waiting.append(self._lines.get())
            ended = None in waiting
            lines = [item for item in waiting if item is not None]
            if lines:
                self._write(lines)

    def _write(self, lines: Sequence[tuple[bytes, Future[None]]]) -> None:
        try:
            with _opened(self.folder / f"{datetime.now(UTC):%Y-%m-%d}.jsonl") as file:
                file.write(b"".join(line for line, _ in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            for _, done in lines:
                done.set_exception(error)
        else:
            for _, done in lines:
                done.set_result(None)


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append one JSON object to a file of lines; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as file:
        file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_feedback(folder: Path = FOLDER) -> tuple[list[Record], int]:
    """All records, oldest first, and how many lines are none: the last one of a killed server may be torn."""
    records, broken = [], 0
    for path in sorted(folder.glob("*.jsonl")):
        for raw in path.read_bytes().splitlines():
            try:
                records.append(Record.model_validate_json(raw))
            except ValidationError:
                broken += 1
    return records, broken


def asked(records: Sequence[Record]) -> Iterator[str]:
    """What was asked, each question once in its first wording."""
    seen = set()
    for record in records:
        key = same_words(record.query)
        if key and key not in seen:
            seen.add(key)
            yield record.query


def same_words(query: str) -> str:
    """By this two questions are the same: words in lower case, without what stands between them."""
    return " ".join("".join(c if c.isalnum() else " " for c in query.lower()).split())


def _opened(path: Path) -> BinaryIO:
    """A file to append to, that ends with a whole line."""
    new = not path.exists()
    file = path.open("a+b")
    if file.tell() and not _ends_whole(file):
        file.write(b"\n")
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return file


def _ends_whole(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
