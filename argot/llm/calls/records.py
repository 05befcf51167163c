"""Batches on record: written before they are created, so that no kill can lose or repeat one."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from argot.core.files import write_json
from argot.errors import InputError
from argot.llm.calls.request import Attempt


@dataclass(frozen=True)
class Batch:
    """A batch: planned while `id` is empty, then under way."""

    name: str  # hash of the attempts' ids
    provider: str
    planned: float  # seconds since 1970
    most_usd: float
    asked: list[Attempt]
    id: str = ""  # the provider's

    @classmethod
    def plan(cls, provider: str, asked: list[Attempt], most_usd: float) -> Batch:
        """A batch that is about to be created."""
        ids = "\n".join(attempt.id for attempt in asked)
        name = hashlib.sha256(ids.encode()).hexdigest()[:32]
        return cls(name, provider, time.time(), most_usd, asked)

    @property
    def ids(self) -> list[str]:
        """The names of its requests."""
        return [attempt.id for attempt in self.asked]


class Records:
    """The batches planned and under way, one file each, in the store's folder of open work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "batches"

    def all(self) -> list[Batch]:
        """Every batch on record."""
        return [_read(path) for path in sorted(self.folder.glob("*.json"))]

    def write(self, batch: Batch) -> None:
        """Record a batch, or its id."""
        write_json(self.folder / f"{batch.name}.json", asdict(batch))

    def remove(self, batch: Batch) -> None:
        """Forget a batch whose replies are all stored."""
        (self.folder / f"{batch.name}.json").unlink()


def _read(path: Path) -> Batch:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        asked = [Attempt(*values) for values in record.pop("asked")]
        return Batch(**record, asked=asked)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is damaged ({reason}); its batch is paid, so look it up at the provider, "
            "then remove the file"
        ) from None
