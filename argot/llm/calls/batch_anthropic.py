"""Anthropic's Message Batches API. Its batches carry no name of ours: a lost one is known by its results."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from argot.llm.calls.batch import Batch, Progress
from argot.llm.calls.clients import anthropic_client
from argot.llm.calls.request import Answer, Request, read_answer
from argot.llm.calls.settings import MachineLlm

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types.messages import MessageBatch
    from anthropic.types.messages.batch_create_params import Request as BatchRequest


class AnthropicBatches:
    """Batches found again by their number of requests, and then by the names in their results."""

    def __init__(self, machine: MachineLlm) -> None:
        self.client: Anthropic = anthropic_client(machine)
        self.machine = machine

    def create(self, batch: Batch, requests: Sequence[Request]) -> str:
        """Start the batch."""
        entries: list[Any] = [
            {"custom_id": entry.id, "params": request.body}
            for entry, request in zip(batch.asked, requests, strict=True)
        ]
        # Never by the client's own retries: where an answer got lost, they would make and pay a second batch.
        once = self.client.with_options(max_retries=0)
        return once.messages.batches.create(requests=cast("list[BatchRequest]", entries)).id

    def find(self, batch: Batch, since: float, taken: set[str]) -> str | None:
        """A batch of as many requests, created since, that answers ours; results are only told at its end."""
        for other in self.client.messages.batches.list(limit=100):
            if other.created_at.timestamp() < since:
                return None
            if (
                other.id not in taken
                and _requests(other) == len(batch.asked)
                and self._is_ours(other, batch)
            ):
                return other.id
        return None

    def progress(self, id: str) -> Progress:
        """How far it is."""
        batch = self.client.messages.batches.retrieve(id)
        return Progress(
            _requests(batch) - batch.request_counts.processing, batch.processing_status == "ended"
        )

    def results(self, id: str) -> Iterator[tuple[str, Answer | None]]:
        """The answers; those that errored, expired or were cancelled were not paid."""
        for entry in self.client.messages.batches.results(id):
            result = entry.result
            answer = None
            if result.type == "succeeded":
                answer = read_answer("anthropic", result.message.to_dict())
            yield entry.custom_id, answer

    def _is_ours(self, other: MessageBatch, batch: Batch) -> bool:
        while other.processing_status != "ended":
            time.sleep(self.machine.poll_seconds)
            other = self.client.messages.batches.retrieve(other.id)
        first = next(iter(self.client.messages.batches.results(other.id)), None)
        return first is not None and first.custom_id in {entry.id for entry in batch.asked}


def _requests(batch: MessageBatch) -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
