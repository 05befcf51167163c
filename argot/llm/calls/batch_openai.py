"""OpenAI's Batch API: a file of requests goes up, a file of answers comes down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from argot.errors import ProviderError
from argot.llm.calls.batch import Batch, Progress
from argot.llm.calls.clients import openai_client
from argot.llm.calls.request import Answer, Request, read_answer
from argot.llm.calls.settings import MachineLlm

if TYPE_CHECKING:
    from openai import OpenAI

ENDPOINT: Final = "/v1/chat/completions"
ENDED = {"completed", "expired", "cancelled"}


class OpenAiBatches:
    """Batches marked with our name for them in their metadata."""

    def __init__(self, machine: MachineLlm) -> None:
        self.client: OpenAI = openai_client(machine)

    def create(self, batch: Batch, requests: Sequence[Request]) -> str:
        """Upload the requests, and start the batch."""
        lines = (
            {"custom_id": entry.id, "method": "POST", "url": ENDPOINT, "body": request.body}
            for entry, request in zip(batch.asked, requests, strict=True)
        )
        content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
        file = self.client.files.create(
            file=(f"argot-{batch.name}.jsonl", content), purpose="batch"
        )
        # Never by the client's own retries: where an answer got lost, they would make and pay a second batch.
        created = self.client.with_options(max_retries=0).batches.create(
            input_file_id=file.id,
            endpoint=ENDPOINT,
            completion_window="24h",
            metadata={"argot": batch.name},
        )
        return created.id

    def find(self, batch: Batch, since: float, taken: set[str]) -> str | None:
        """The newest batch that carries our name."""
        for other in self.client.batches.list(limit=100):
            if other.created_at < since:
                return None
            if (other.metadata or {}).get("argot") == batch.name and other.id not in taken:
                return other.id
        return None

    def progress(self, id: str) -> Progress:
        """How far it is; a batch that failed its check was not paid."""
        batch = self.client.batches.retrieve(id)
        if batch.status == "failed":
            errors = batch.errors.data if batch.errors and batch.errors.data else []
            reason = errors[0].message if errors else "no reason given"
            raise ProviderError(f"openai gave up batch {id}: {reason}")
        counts = batch.request_counts
        return Progress(counts.completed + counts.failed if counts else 0, batch.status in ENDED)

    def results(self, id: str) -> Iterator[tuple[str, Answer | None]]:
        """The answers in both of the batch's files; without one, nothing was answered, or nothing failed."""
        batch = self.client.batches.retrieve(id)
        for file in (batch.output_file_id, batch.error_file_id):
            for line in self.client.files.content(file).content.splitlines() if file else ():
                yield _result(line)


def _result(line: bytes) -> tuple[str, Answer | None]:
    found: Any = json.loads(line)
    response = found.get("response") or {}
    answered = response.get("status_code") == 200
    return found["custom_id"], read_answer("openai", response.get("body")) if answered else None
