"""What users asked and which passages they liked, kept on disk before it is acknowledged.

One JSON object a line, in one file of thumbs and one of questions and clicks a day (UTC). Anyone
may have sent a record, so none of them trains or judges anything until a person accepts it (`argot
feedback`); what users prefer (`argot interleaving`) is advice to a person.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

FOLDER = Path("data/feedback")
Kind = Literal["asked", "thumb", "click"]
ASKED, THUMBS = "-asked.jsonl", ".jsonl"  # how the names of the two kinds of files end
ENDINGS: dict[Kind, str] = {"asked": ASKED, "click": ASKED, "thumb": THUMBS}
DAY = re.compile(r"\d{4}-\d\d-\d\d(?:-asked)?\.jsonl")
LOOK_SECONDS = 600.0  # between two looks for old files, where nothing is asked
Thumb = Literal["up", "down"]


class FeedbackRecord(BaseModel):
    """One line: a question that was asked, or a thumb or a click for a passage that was shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: Kind
    query: str
    time: str = ""  # UTC, to the second
    verdict: Thumb | Literal["opened"] | None = None
    document: str = ""
    chunk: str = ""
    quote: str = ""
    comment: str = ""
    release: str = ""
    mode: str = ""
    # Where two releases were shown mixed (argot.feedback.interleaving): the search's id, the
    # candidate's id, and the team of each passage that has one.
    search: str = ""
    candidate: str = ""
    teams: dict[str, Literal["served", "candidate"]] = {}


class JournalFull(Exception):
    """The feedback files have reached their limit."""


class JournalLine(NamedTuple):
    """A line to be written, and the future of whoever waits for it."""

    ending: str  # of the name of its file
    text: bytes
    done: Future[None]


class Journal:
    """Appends records durably.

    One thread writes all records that have come since its last write, with one fsync a file for all
    of them: many requests at once cost no more than one. Questions (with clicks) and thumbs have
    half of the room each: whoever searches cannot use up the room of thumbs. The files of days more
    than `keep_days` ago are deleted; 0 keeps all.
    """

    def __init__(self, folder: Path, most_bytes: int, keep_days: int = 0) -> None:
        self.folder, self.most_bytes, self.keep_days = folder, most_bytes // 2, keep_days
        folder.mkdir(parents=True, exist_ok=True)
        self._sizes = {ASKED: 0, THUMBS: 0}
        for path in folder.glob("*.jsonl"):
            self._sizes[ASKED if path.name.endswith(ASKED) else THUMBS] += path.stat().st_size
        self._lock = threading.Lock()
        # None ends the queue.
        self._lines: queue.SimpleQueue[JournalLine | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()

    def append(self, record: FeedbackRecord) -> Future[None]:
        """Write a record; the future is done when it is on the disk. JournalFull at the limit."""
        stamped = {
            **record.model_dump(exclude_defaults=True),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        text = json.dumps(stamped, ensure_ascii=False).encode() + b"\n"
        ending = ENDINGS[record.kind]
        self._take_room(ending, len(text))
        done: Future[None] = Future()
        self._lines.put(JournalLine(ending, text, done))
        return done

    def close(self) -> None:
        """Write what is in the queue, and end the thread."""
        self._lines.put(None)
        self._thread.join()

    def _take_room(self, ending: str, size: int) -> None:
        with self._lock:
            if self._sizes[ending] + size > self.most_bytes:
                what = "thumbs" if ending == THUMBS else "questions"
                raise JournalFull(
                    f"{self.folder} holds {self._sizes[ending]} bytes of {what}, of at most "
                    f"{self.most_bytes}"
                )
            self._sizes[ending] += size

    def _run(self) -> None:
        ended = False
        while not ended:
            self._drop_old()
            try:
                waiting = [self._lines.get(timeout=LOOK_SECONDS)]
            except queue.Empty:
                continue
            while not self._lines.empty():
                waiting.append(self._lines.get())
            lines = [line for line in waiting if line is not None]
            ended = len(lines) < len(waiting)
            for ending in self._sizes:
                own = [line for line in lines if line.ending == ending]
                if own:
                    self._write(ending, own)

    def _drop_old(self) -> None:
        oldest = f"{datetime.now(UTC) - timedelta(days=self.keep_days):%Y-%m-%d}"
        for path in self.folder.glob("*.jsonl") if self.keep_days else ():
            if DAY.fullmatch(path.name) and path.name < oldest:
                with suppress(FileNotFoundError), self._lock:
                    size = path.stat().st_size
                    path.unlink()
                    self._sizes[ASKED if path.name.endswith(ASKED) else THUMBS] -= size

    def _write(self, ending: str, lines: Sequence[JournalLine]) -> None:
        text = b"".join(line.text for line in lines)
        try:
            path = self.folder / f"{datetime.now(UTC):%Y-%m-%d}{ending}"
            with exclusive(self.folder), _opened(path) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with self._lock:  # a disk that was full for a while leaves no room taken
                self._sizes[ending] -= len(text)
            for line in lines:
                line.done.set_exception(error)
        else:
            for line in lines:
                line.done.set_result(None)


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append one JSON object to a file of lines; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path.parent), _opened(path) as file:
        file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Wait until no other program writes into this folder of lines, and keep it so in the block.

    Otherwise a line could be lost that is appended while a file is written again.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_feedback(folder: Path = FOLDER) -> tuple[list[FeedbackRecord], int]:
    """All records, oldest first, and the number of lines that are not records.

    A server that was killed may have left half a line.
    """
    records, broken = [], 0
    for path in sorted(folder.glob("*.jsonl")):
        for raw in path.read_bytes().splitlines():
            try:
                records.append(FeedbackRecord.model_validate_json(raw))
            except ValidationError:
                broken += 1
    return records, broken


def distinct_queries(records: Sequence[FeedbackRecord]) -> Iterator[str]:
    """The queries of records, each once, in its first wording."""
    seen = set()
    for record in records:
        key = same_words(record.query)
        if key and key not in seen:
            seen.add(key)
            yield record.query


def same_words(query: str) -> str:
    """A query's words in lower case, without punctuation: two queries are the same if these are."""
    return " ".join("".join(c if c.isalnum() else " " for c in query.lower()).split())


def _opened(path: Path) -> BinaryIO:
    """A file opened for appending; half a line at its end is closed by a line break first."""
    new = not path.exists()
    file = path.open("a+b")
    if file.tell() and not _ends_whole(file):
        file.write(b"\n")
    if new:  # the folder's entry must reach the disk as well
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return file


def _ends_whole(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
