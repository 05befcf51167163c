"""OpenAI, and servers that speak its language: calls, batches, conversations and embeddings."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from argot.errors import ProviderError
from argot.llm.providers.base import (
    Batches,
    Embeddings,
    Endpoint,
    Outcome,
    Progress,
    Prompt,
    Provider,
    json_status,
)
from argot.llm.providers.chat import (
    CUT_OFF,
    MAX_TOKENS,
    Chat,
    Tool,
    ToolCall,
    refuse_unfinished,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

BATCH_ENDPOINT: Final = "/v1/chat/completions"
ENDED = {"completed", "expired", "cancelled"}


class OpenAi(Provider):
    """Chat completions, by OpenAI's own client."""

    name = "openai"
    key_variable = "OPENAI_API_KEY"
    chat_model = "gpt-5.4-mini"
    resource = "chat.completions"
    refusal_codes = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})

    def client(self, endpoint: Endpoint) -> OpenAI:
        """A client for one call after another."""
        from openai import OpenAI

        return OpenAI(**self.client_options(endpoint))

    def async_client(self, endpoint: Endpoint) -> AsyncOpenAI:
        """A client for many calls at once."""
        from openai import AsyncOpenAI

        return AsyncOpenAI(**self.client_options(endpoint))

    def arguments(self, prompt: Prompt) -> dict[str, Any]:
        """The arguments of `chat.completions.create`."""
        schema = {"name": "answer", "strict": True, "schema": prompt.schema}
        return {
            "model": prompt.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "max_completion_tokens": prompt.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": schema},
            "extra_body": prompt.sampling,
        }

    def parse(self, body: Any) -> Outcome:
        """The outcome in a chat completion."""
        usage = body.get("usage") or {}
        tokens = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        choice = body["choices"][0]
        content, reason = choice["message"].get("content") or "", choice.get("finish_reason")
        # The model itself refuses in a field of its own, the provider's filter by the reason.
        if choice["message"].get("refusal") or reason == "content_filter":
            return Outcome("refused", "", *tokens)
        return Outcome(json_status(content, cut=reason == "length"), content, *tokens)

    def batches(self, endpoint: Endpoint, poll_seconds: float) -> Batches:
        """OpenAI's Batch API."""
        return OpenAiBatches(self, endpoint)

    def chat(self, endpoint: Endpoint, model: str, system: str, tool: Tool) -> Chat:
        """A conversation by chat completions."""
        return OpenAiChat(self, endpoint, model, system, tool)

    def embeddings(self) -> Embeddings:
        """OpenAI's embeddings."""
        return OpenAiEmbeddings()


class OpenAiBatches:
    """A file of requests is uploaded, a file of answers downloaded; the metadata holds our name."""

    def __init__(self, provider: OpenAi, endpoint: Endpoint) -> None:
        self._provider = provider
        self._client = provider.client(endpoint)

    def create(self, name: str, bodies: Mapping[str, dict[str, Any]]) -> str:
        """Upload the requests, and start the batch."""
        lines = (
            {"custom_id": id, "method": "POST", "url": BATCH_ENDPOINT, "body": body}
            for id, body in bodies.items()
        )
        content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
        file = self._client.files.create(file=(f"argot-{name}.jsonl", content), purpose="batch")
        # No retries: where only the reply got lost, a retry would create, and pay, a second batch.
        created = self._client.with_options(max_retries=0).batches.create(
            input_file_id=file.id,
            endpoint=BATCH_ENDPOINT,
            completion_window="24h",
            metadata={"argot": name},
        )
        return created.id

    def find(
        self, name: str, ids: Collection[str], since: float, taken: Collection[str]
    ) -> str | None:
        """The newest batch that carries our name."""
        for batch in self._client.batches.list(limit=100):
            if batch.created_at < since:
                return None  # the list is sorted, newest first
            if (batch.metadata or {}).get("argot") == name and batch.id not in taken:
                return batch.id
        return None

    def progress(self, batch: str) -> Progress:
        """How far a batch is; one that failed the provider's check of its form was not paid."""
        found = self._client.batches.retrieve(batch)
        if found.status == "failed":
            errors = found.errors.data if found.errors and found.errors.data else []
            reason = errors[0].message if errors else "no reason given"
            raise ProviderError(f"{self._provider.name} gave up batch {batch}: {reason}")
        counts = found.request_counts
        return Progress(counts.completed + counts.failed if counts else 0, found.status in ENDED)

    def results(self, batch: str) -> Iterator[tuple[str, Outcome | None]]:
        """The outcomes in the batch's two files: one of answers, one of errors; either may lack."""
        found = self._client.batches.retrieve(batch)
        for file in (found.output_file_id, found.error_file_id):
            if file:
                for line in self._client.files.content(file).content.splitlines():
                    yield self._result(json.loads(line))

    def _result(self, entry: Any) -> tuple[str, Outcome | None]:
        response = entry.get("response") or {}
        answered = response.get("status_code") == 200
        return entry["custom_id"], self._provider.read(response.get("body")) if answered else None


class OpenAiChat:
    """A conversation by chat completions."""

    def __init__(
        self, provider: OpenAi, endpoint: Endpoint, model: str, system: str, tool: Tool
    ) -> None:
        self.calls: list[ToolCall] = []
        self._provider, self._endpoint, self._model = provider, endpoint, model
        self._client = provider.client(endpoint)
        self._messages: list[Any] = [{"role": "system", "content": system}]
        function = {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": True,
        }
        self._tools: list[Any] = [{"type": "function", "function": function}]
        # Other servers know the older name of the limit, OpenAI's newer models only the newer one.
        limit = "max_tokens" if endpoint.base_url else "max_completion_tokens"
        self._limit: dict[str, Any] = {limit: MAX_TOKENS}

    def say(self, text: str) -> None:
        """Add the user's message."""
        self._messages.append({"role": "user", "content": text})

    def stream(self, may_call: bool) -> Iterator[str]:
        """The model's next turn, piece by piece."""
        from openai import LengthFinishReasonError

        # The client raises this where the limit on tokens cuts a turn off.
        try:
            with (
                self._provider.one_line_errors(self._endpoint),
                self._client.chat.completions.stream(
                    model=self._model,
                    messages=self._messages,
                    tools=self._tools,
                    tool_choice="auto" if may_call else "none",
                    **self._limit,
                ) as stream,
            ):
                for event in stream:
                    if event.type == "content.delta" and event.delta:
                        yield event.delta
                choice = stream.get_final_completion().choices[0]
        except LengthFinishReasonError:
            raise ProviderError(CUT_OFF) from None
        refuse_unfinished(choice.finish_reason)
        # The next request must repeat this turn, its calls included, before their results.
        self.calls = [
            ToolCall(call.id, call.function.name, _parsed(call.function.arguments))
            for call in choice.message.tool_calls or []
        ]
        kept = {"role", "content", "tool_calls"}
        self._messages.append(choice.message.model_dump(exclude_none=True, include=kept))

    def answer(self, results: Sequence[str]) -> None:
        """Add one result for each call."""
        for call, result in zip(self.calls, results, strict=True):
            self._messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def _parsed(arguments: str) -> Any:
    """The JSON that a model wrote as a tool's arguments; None where it is none."""
    try:
        return json.loads(arguments)
    except ValueError:
        return None


class OpenAiEmbeddings:
    """Vectors of many texts in one call."""

    resource = "embeddings"
    most_texts = 2048
    # OpenAI takes at most 300,000 tokens in one call, and a token is at least one byte.
    most_bytes = 300_000

    def arguments(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """The arguments of `embeddings.create`."""
        return {"model": model, "input": list(texts), "encoding_format": "float"}

    def tokens(self, body: Any) -> int:
        """The tokens of all texts together."""
        return int((body.get("usage") or {}).get("prompt_tokens") or 0)

    def vectors(self, body: Any) -> list[list[float]]:
        """The vectors, sorted by the index that each carries."""
        entries = sorted(body["data"], key=lambda entry: int(entry["index"]))
        return [entry["embedding"] for entry in entries]
