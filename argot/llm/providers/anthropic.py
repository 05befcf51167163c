"""Anthropic: calls, batches and conversations by the Messages API."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from argot.llm.providers.base import (
    Batches,
    Endpoint,
    Outcome,
    Progress,
    Prompt,
    Provider,
    json_status,
)
from argot.llm.providers.chat import MAX_TOKENS, Chat, Tool, ToolCall, refuse_unfinished

if TYPE_CHECKING:
    from anthropic import Anthropic as Client
    from anthropic import AsyncAnthropic
    from anthropic.types.messages import MessageBatch
    from anthropic.types.messages.batch_create_params import Request as BatchRequest

# Tokens that are read from a prompt's cache, or written to it, are paid too.
PROMPT_TOKENS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Anthropic(Provider):
    """Messages, by Anthropic's own client."""

    name = "anthropic"
    key_variable = "ANTHROPIC_API_KEY"
    chat_model = "claude-sonnet-5-5"
    resource = "messages"

    def client(self, endpoint: Endpoint) -> Client:
        """A client for one call after another."""
        from anthropic import Anthropic as Client

        return Client(**self.client_options(endpoint))

    def async_client(self, endpoint: Endpoint) -> AsyncAnthropic:
        """A client for many calls at once."""
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(**self.client_options(endpoint))

    def arguments(self, prompt: Prompt) -> dict[str, Any]:
        """The arguments of `messages.create`."""
        sampling = dict(prompt.sampling)
        output: dict[str, Any] = {"format": {"type": "json_schema", "schema": prompt.schema}}
        # The effort is a part of `output_config`; other settings are keys of the body itself.
        if "effort" in sampling:
            output["effort"] = sampling.pop("effort")
        return {
            "model": prompt.model,
            "system": prompt.system,
            "messages": [{"role": "user", "content": prompt.user}],
            "max_tokens": prompt.max_tokens,
            "output_config": output,
            "extra_body": sampling,
        }

    def parse(self, body: Any) -> Outcome:
        """The outcome in a message."""
        usage, reason = body.get("usage") or {}, body.get("stop_reason")
        tokens_in = sum(int(usage.get(name) or 0) for name in PROMPT_TOKENS)
        tokens_out = int(usage.get("output_tokens") or 0)
        if reason == "refusal":
            return Outcome("refused", "", tokens_in, tokens_out)
        # A block of thinking may come before the answer: only blocks of text count.
        content = "".join(block["text"] for block in body["content"] if block["type"] == "text")
        status = json_status(content, cut=reason == "max_tokens")
        return Outcome(status, content, tokens_in, tokens_out)

    def batches(self, endpoint: Endpoint, poll_seconds: float) -> Batches:
        """Anthropic's Message Batches API."""
        return AnthropicBatches(self, endpoint, poll_seconds)

    def chat(self, endpoint: Endpoint, model: str, system: str, tool: Tool) -> Chat:
        """A conversation by messages."""
        return AnthropicChat(self, endpoint, model, system, tool)


class AnthropicBatches:
    """Batches, which can carry no name of ours: a lost one is found by the ids in its results."""

    def __init__(self, provider: Anthropic, endpoint: Endpoint, poll_seconds: float) -> None:
        self._provider = provider
        self._client = provider.client(endpoint)
        self._poll_seconds = poll_seconds

    def create(self, name: str, bodies: Mapping[str, dict[str, Any]]) -> str:
        """Start the batch."""
        requests = [{"custom_id": id, "params": body} for id, body in bodies.items()]
        # No retries: where only the reply got lost, a retry would create, and pay, a second batch.
        batches = self._client.with_options(max_retries=0).messages.batches
        return batches.create(requests=cast("list[BatchRequest]", requests)).id

    def find(
        self, name: str, ids: Collection[str], since: float, taken: Collection[str]
    ) -> str | None:
        """A batch with as many requests, whose results, which come at its end, carry our ids."""
        for batch in self._client.messages.batches.list(limit=100):
            if batch.created_at.timestamp() < since:
                return None  # the list is sorted, newest first
            if batch.id not in taken and _size(batch) == len(ids) and self._is_ours(batch, ids):
                return batch.id
        return None

    def progress(self, batch: str) -> Progress:
        """How far a batch is."""
        found = self._client.messages.batches.retrieve(batch)
        done = _size(found) - found.request_counts.processing
        return Progress(done, found.processing_status == "ended")

    def results(self, batch: str) -> Iterator[tuple[str, Outcome | None]]:
        """The outcomes; requests that errored, expired or were cancelled were not paid."""
        for entry in self._client.messages.batches.results(batch):
            outcome = None
            if entry.result.type == "succeeded":
                outcome = self._provider.read(entry.result.message.to_dict())
            yield entry.custom_id, outcome

    def _is_ours(self, batch: MessageBatch, ids: Collection[str]) -> bool:
        while batch.processing_status != "ended":
            time.sleep(self._poll_seconds)
            batch = self._client.messages.batches.retrieve(batch.id)
        # All its results carry our ids, or none does.
        first = next(iter(self._client.messages.batches.results(batch.id)), None)
        return first is not None and first.custom_id in ids


def _size(batch: MessageBatch) -> int:
    """The number of requests in a batch."""
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


class AnthropicChat:
    """A conversation by messages."""

    def __init__(
        self, provider: Anthropic, endpoint: Endpoint, model: str, system: str, tool: Tool
    ) -> None:
        self.calls: list[ToolCall] = []
        self._provider, self._endpoint = provider, endpoint
        self._model, self._system = model, system
        self._client = provider.client(endpoint)
        self._messages: list[Any] = []
        self._tools: list[Any] = [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.parameters,
            }
        ]

    def say(self, text: str) -> None:
        """Add the user's message."""
        self._messages.append({"role": "user", "content": text})

    def stream(self, may_call: bool) -> Iterator[str]:
        """The model's next turn, piece by piece."""
        choice: Any = {"type": "auto" if may_call else "none"}
        with (
            self._provider.one_line_errors(self._endpoint),
            self._client.messages.stream(
                model=self._model,
                max_tokens=MAX_TOKENS,
                system=self._system,
                messages=self._messages,
                tools=self._tools,
                tool_choice=choice,
            ) as stream,
        ):
            yield from stream.text_stream
            reply = stream.get_final_message()
        refuse_unfinished(reply.stop_reason)
        self._messages.append({"role": "assistant", "content": reply.content})
        self.calls = [
            ToolCall(block.id, block.name, block.input)
            for block in reply.content
            if block.type == "tool_use"
        ]

    def answer(self, results: Sequence[str]) -> None:
        """Add one result for each call."""
        # All results of one turn belong into one message of the user.
        blocks = [
            {"type": "tool_result", "tool_use_id": call.id, "content": result}
            for call, result in zip(self.calls, results, strict=True)
        ]
        self._messages.append({"role": "user", "content": blocks})
