"""Calls made in batches, at half the price: recorded before they are made, so that no kill can lose or repeat one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from tqdm import tqdm

from argot.core.files import write_json
from argot.errors import ProviderError
from argot.llm.calls.request import Answer, Request
from argot.llm.calls.settings import MachineLlm

CLOCKS = 300  # seconds by which the provider's clock may differ from ours
BUSY = {408, 409, 429, 500, 502, 503, 504, 529}
WAITS = (1.0, 5.0, 20.0)  # seconds


class Asked(NamedTuple):
    """What must be known of a request to record its answer, even when its passage is gone."""

    key: str
    attempt: int
    model: str
    prompt: str
    about: str

    @property
    def id(self) -> str:
        """The request's name within its batch."""
        return f"{self.key}-{self.attempt}"


@dataclass(frozen=True)
class Batch:
    """A batch: planned while `id` is empty, then under way."""

    name: str  # hash of the requests' names
    provider: str
    planned: float
    most_usd: float
    asked: list[Asked]
    id: str = ""

    @classmethod
    def plan(cls, requests: Sequence[tuple[Request, int]], most_usd: float) -> Batch:
        """A batch of requests, each with its attempt."""
        asked = [
            Asked(request.key, attempt, request.model, request.prompt, request.about)
            for request, attempt in requests
        ]
        name = hashlib.sha256("\n".join(entry.id for entry in asked).encode()).hexdigest()[:32]
        return cls(name, requests[0][0].provider, time.time(), most_usd, asked)


class Progress(NamedTuple):
    """How far a batch is."""

    done: int
    ended: bool


class Batches(Protocol):
    """What a provider can do with batches."""

    def create(self, batch: Batch, requests: Sequence[Request]) -> str:
        """Start the batch, and return its id."""

    def find(self, batch: Batch, since: float, taken: set[str]) -> str | None:
        """The id of a batch that was created, but whose id was never recorded."""

    def progress(self, id: str) -> Progress:
        """How far it is; ProviderError if the provider gave it up."""

    def results(self, id: str) -> Iterator[tuple[str, Answer | None]]:
        """The name of each request with its answer, or None where it failed, expired or was cancelled."""


class Records:
    """The batches planned and under way, one file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "batches"

    def all(self) -> list[Batch]:
        """Every batch on record."""
        found = (
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(self.folder.glob("*.json"))
        )
        return [
            Batch(**{**record, "asked": [Asked(*entry) for entry in record["asked"]]})
            for record in found
        ]

    def write(self, batch: Batch) -> None:
        """Record a batch, or its id."""
        write_json(self.folder / f"{batch.name}.json", asdict(batch))

    def remove(self, batch: Batch) -> None:
        """Forget a batch whose answers are all recorded."""
        (self.folder / f"{batch.name}.json").unlink()


def start(batch: Batch, requests: Sequence[Request], provider: Batches, records: Records) -> Batch:
    """Record the batch, create it, and record its id; where the provider is busy, wait and try again."""
    records.write(batch)
    begun = replace(batch, id=_create(batch, requests, provider))
    records.write(begun)
    return begun


def _create(batch: Batch, requests: Sequence[Request], provider: Batches) -> str:
    for seconds in WAITS:
        try:
            return provider.create(batch, requests)
        except Exception as error:
            if getattr(error, "status_code", 0) not in BUSY:
                raise
        time.sleep(seconds)
        if id := provider.find(
            batch, batch.planned - CLOCKS, set()
        ):  # an error may hide that it was made
            return id
    return provider.create(batch, requests)


def adopt(provider: Batches, records: Records, name: str) -> list[Batch]:
    """The batches of a run that was killed: those under way, and those created whose id wasn't recorded in time."""
    found = [batch for batch in records.all() if batch.provider == name]
    taken = {batch.id for batch in found if batch.id}
    adopted = []
    for batch in found:
        id = batch.id or provider.find(batch, batch.planned - CLOCKS, taken)
        if id:
            taken.add(id)
            adopted.append(replace(batch, id=id))
            records.write(adopted[-1])
        else:
            records.remove(batch)  # it was never created
    return adopted


def wait(
    batches: Sequence[Batch], provider: Batches, machine: MachineLlm
) -> Iterator[tuple[Batch, list[tuple[Asked, Answer | None]]]]:
    """Poll the batches, and yield each with its answers as it ends; what is missing in them has no answer."""
    open_, done = list(batches), dict.fromkeys((batch.id for batch in batches), 0)
    with tqdm(
        total=sum(len(batch.asked) for batch in batches), desc="batches", disable=None
    ) as bar:
        while open_:
            for batch in list(open_):
                progress = provider.progress(batch.id)
                bar.update(progress.done - done[batch.id])
                done[batch.id] = progress.done
                if progress.ended:
                    open_.remove(batch)
                    yield batch, _answers(batch, provider)
            if open_:
                time.sleep(machine.poll_seconds)


def _answers(batch: Batch, provider: Batches) -> list[tuple[Asked, Answer | None]]:
    answers = dict(provider.results(batch.id))
    if strange := set(answers) - {entry.id for entry in batch.asked}:
        raise ProviderError(
            f"batch {batch.id} holds answers to {len(strange)} requests that are not its own"
        )
    return [(entry, answers.get(entry.id)) for entry in batch.asked]
