"""Paid replies, kept for good: journalled one by one, then sealed in files that never change.

data/replies/HASH.jsonl      segments, named by their content: two branches' ones can be merged
data/replies.open/           the journal of the run under way, the records of batches: not shared
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from argot.core.files import locked, replacing
from argot.errors import InputError
from argot.llm.calls.request import Attempt
from argot.llm.providers.base import Outcome, Status

REPLIES = Path("data/replies")
OPEN = Path("data/replies.open")
SEGMENT = 5000  # replies in a segment, at most


@dataclass(frozen=True)
class Reply:
    """An answer and what it cost in US dollars; `attempt` numbers the tries of one request."""

    key: str
    attempt: int
    provider: str
    model: str
    prompt: str  # the hash of the instructions
    about: str  # the passage that the request was made from
    status: Status
    content: str
    tokens_in: int
    tokens_out: int
    usd: float
    batch: bool

    @classmethod
    def of(
        cls, attempt: Attempt, provider: str, outcome: Outcome, usd: float, batch: bool
    ) -> Reply:
        """The reply to one try of a request."""
        return cls(
            key=attempt.key,
            attempt=attempt.number,
            provider=provider,
            model=attempt.model,
            prompt=attempt.prompt,
            about=attempt.about,
            status=outcome.status,
            content=outcome.content,
            tokens_in=outcome.tokens_in,
            tokens_out=outcome.tokens_out,
            usd=round(usd, 9),
            batch=batch,
        )


class Store:
    """All replies; open it with `with`, as the only writer in this folder."""

    def __init__(self, folder: Path = REPLIES, journal: Path = OPEN) -> None:
        self.folder = folder
        self.open = journal
        self._journal = journal / "journal.jsonl"
        self._replies: defaultdict[str, dict[int, Reply]] = defaultdict(dict)
        self._unsealed = 0
        self._writing = threading.Lock()

    def __enter__(self) -> Store:
        busy = f"another run writes to {self.folder}; wait for it, or end it"
        with ExitStack() as opened:
            opened.enter_context(locked(self.open / "lock", busy))
            self._read()
            self._seal()  # what a killed run left
            self._lock = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._seal()
        self._lock.close()

    def tries(self, key: str) -> list[Reply]:
        """Every reply to a request, in the order of attempts."""
        return [reply for _, reply in sorted(self._replies.get(key, {}).items())]

    def __iter__(self) -> Iterator[Reply]:
        return (reply for key in sorted(self._replies) for reply in self.tries(key))

    def add(self, reply: Reply) -> None:
        """Keep a reply: when this returns, it is on the disk.

        Many threads may add at once: they write one by one, and wait for the disk together.
        """
        with self._writing:
            descriptor = self._append(_line(reply))
            self._replies[reply.key][reply.attempt] = reply
            self._unsealed += 1
            if self._unsealed >= SEGMENT:
                self._seal()
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _append(self, line: bytes) -> int:
        # Another thread may seal the journal and remove it before this one waits for the disk: the
        # segment then holds the line.
        descriptor = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        before = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._journal))
        except OSError:
            os.ftruncate(descriptor, before)  # half a line would spoil the next one
            os.close(descriptor)
            raise
        return descriptor

    def keep(self, wanted: Callable[[Reply], bool]) -> int:
        """Drop all replies but the wanted ones, and return how many were dropped."""
        old = sorted(self.folder.glob("*.jsonl"))
        kept = [reply for reply in self if wanted(reply)]
        gone = sum(1 for _ in self) - len(kept)
        if gone:
            for at in range(0, len(kept), SEGMENT):
                old = [path for path in old if path != self._write(kept[at : at + SEGMENT])]
            for path in old:
                path.unlink()
            self._replies.clear()
            self._read()
        return gone

    def _read(self) -> None:
        for path in sorted(self.folder.glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                self._take(_parsed(line, path))
        if self._journal.exists():
            # A kill may have cut the last line short: its reply had not been kept yet.
            *lines, torn = self._journal.read_bytes().split(b"\n")
            for line in lines:
                self._take(_parsed(line, self._journal))
            if torn:
                os.truncate(self._journal, sum(len(line) + 1 for line in lines))

    def _take(self, reply: Reply) -> None:
        self._replies[reply.key].setdefault(reply.attempt, reply)

    def _seal(self) -> None:
        if self._journal.exists():
            lines = self._journal.read_bytes().splitlines()
            if lines:
                self._write([_parsed(line, self._journal) for line in lines])
            self._journal.unlink()
        self._unsealed = 0

    def _write(self, replies: list[Reply]) -> Path:
        content = b"".join(sorted(_line(reply) for reply in replies))
        path = self.folder / f"{hashlib.sha256(content).hexdigest()[:32]}.jsonl"
        if not path.exists():
            with replacing(path) as beside:
                beside.write_bytes(content)
        return path


def _line(reply: Reply) -> bytes:
    return json.dumps(asdict(reply), sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _parsed(line: bytes, path: Path) -> Reply:
    try:
        return Reply(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({error}); restore it with `dvc checkout {REPLIES}.dvc`"
        ) from None
