"""One conversation with a model, in the words of its provider: streamed, with one tool, `search`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from argot.errors import ProviderError
from argot.llm.calls.clients import KEYS, anthropic_client, key, openai_client
from argot.llm.calls.settings import MachineLlm, Provider

if TYPE_CHECKING:
    from anthropic import Anthropic
    from openai import OpenAI

MAX_TOKENS = 2000
TOOL = "search"
ABOUT_TOOL = "Search the documents again, in other words. Returns numbered passages."
PARAMETERS = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What to look for."}},
    "required": ["query"],
    "additionalProperties": False,
}
# Libraries whose errors mean that the provider failed, or sent what is no reply.
CLIENTS = {
    "anthropic",
    "openai",
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "json",
    "pydantic_core",
}
# Where a newer model comes out, name it: --model or ARGOT_MODEL.
MODELS: dict[Provider, str] = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-5.4-mini"}


@dataclass(frozen=True)
class Call:
    """The model's wish to use a tool; `query` is None where it asks for anything but a search."""

    id: str
    query: str | None


class Chat(Protocol):
    """A conversation: say, stream the reply, answer its calls, stream again."""

    calls: list[Call]

    def say(self, text: str) -> None:
        """Add the user's words."""

    def stream(self, may_search: bool) -> Iterator[str]:
        """The model's next turn, piece by piece; its calls stand in `calls` afterwards."""

    def answer(self, results: Sequence[str]) -> None:
        """Add one result for each of `calls`."""


class Errors:
    """A context in which what a client raises becomes a ProviderError of one line, without the key."""

    def __init__(self, provider: Provider, machine: MachineLlm) -> None:
        self.provider, self.key, self.seconds = (
            provider,
            key(provider, machine),
            machine.timeout_seconds,
        )

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and type(error).__module__.partition(".")[0] in CLIENTS:
            raise ProviderError(self._told(error)) from None

    def _told(self, error: BaseException) -> str:
        status = getattr(error, "status_code", None)
        if status in (401, 403):
            return f"{self.provider} refused the key in {KEYS[self.provider]} (status {status})"
        if status == 404:
            return f"{self.provider} knows no such model or address; check --model and --base-url"
        if "Timeout" in type(error).__name__:
            return f"{self.provider} didn't answer within {self.seconds:g} s"
        if type(error).__name__ == "LengthFinishReasonError":
            return f"the model's answer ran past {MAX_TOKENS} tokens"
        message = " ".join(str(error).split())[:200].replace(self.key, "[key]")
        return f"{self.provider} failed ({type(error).__name__}: {message})"


def of_a_conversation(base_url: str, seconds: float) -> MachineLlm:
    """The machine settings of one conversation: one call at a time, `seconds` for each, and no batch."""
    return MachineLlm(
        base_url=base_url,
        concurrency=1,
        timeout_seconds=seconds,
        retries=2,
        poll_seconds=1.0,
        batch_requests=1,
    )


def open_chat(provider: Provider, model: str, machine: MachineLlm, system: str) -> Chat:
    """A conversation with `model`; ProviderError where there is no key."""
    errors = Errors(provider, machine)
    if provider == "anthropic":
        return AnthropicChat(anthropic_client(machine), model or MODELS[provider], system, errors)
    return OpenAIChat(
        openai_client(machine),
        model or MODELS[provider],
        system,
        errors,
        own=bool(machine.base_url),
    )


class AnthropicChat:
    """Claude, by the Messages API."""

    def __init__(self, client: Anthropic, model: str, system: str, errors: Errors) -> None:
        self.calls: list[Call] = []
        self._client, self._model, self._system, self._errors = client, model, system, errors
        self._messages: list[Any] = []

    def say(self, text: str) -> None:
        """Add the user's words."""
        self._messages.append({"role": "user", "content": text})

    def stream(self, may_search: bool) -> Iterator[str]:
        """The model's next turn, piece by piece."""
        with (
            self._errors,
            self._client.messages.stream(
                model=self._model,
                max_tokens=MAX_TOKENS,
                system=self._system,
                messages=self._messages,
                tools=[{"name": TOOL, "description": ABOUT_TOOL, "input_schema": PARAMETERS}],
                tool_choice={"type": "auto" if may_search else "none"},  # type: ignore[arg-type]
            ) as stream,
        ):
            yield from stream.text_stream
            reply = stream.get_final_message()
        _refuse_unfinished(reply.stop_reason)
        self._messages.append({"role": "assistant", "content": reply.content})
        self.calls = [
            Call(b.id, _query(b.name, b.input)) for b in reply.content if b.type == "tool_use"
        ]

    def answer(self, results: Sequence[str]) -> None:
        """Add one result for each call."""
        blocks = [
            {"type": "tool_result", "tool_use_id": call.id, "content": result}
            for call, result in zip(self.calls, results, strict=True)
        ]
        self._messages.append({"role": "user", "content": blocks})


class OpenAIChat:
    """OpenAI's models and servers that speak its language, by chat completions."""

    def __init__(self, client: OpenAI, model: str, system: str, errors: Errors, own: bool) -> None:
        self.calls: list[Call] = []
        self._client, self._model, self._errors = client, model, errors
        self._messages: list[Any] = [{"role": "system", "content": system}]
        # Servers of one's own know the older name of the limit, OpenAI's newer models only the newer.
        self._limit = {"max_tokens" if own else "max_completion_tokens": MAX_TOKENS}

    def say(self, text: str) -> None:
        """Add the user's words."""
        self._messages.append({"role": "user", "content": text})

    def stream(self, may_search: bool) -> Iterator[str]:
        """The model's next turn, piece by piece."""
        tool: Any = {
            "name": TOOL,
            "description": ABOUT_TOOL,
            "parameters": PARAMETERS,
            "strict": True,
        }
        with (
            self._errors,
            self._client.chat.completions.stream(
                model=self._model,
                messages=self._messages,
                tools=[{"type": "function", "function": tool}],
                tool_choice="auto" if may_search else "none",
                **self._limit,  # type: ignore[arg-type]
            ) as stream,
        ):
            for event in stream:
                if event.type == "content.delta" and event.delta:
                    yield event.delta
            choice = stream.get_final_completion().choices[0]
        _refuse_unfinished(choice.finish_reason)
        calls = choice.message.tool_calls or []
        self.calls = [
            Call(call.id, _query(call.function.name, call.function.arguments)) for call in calls
        ]
        self._messages.append(
            choice.message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})
        )

    def answer(self, results: Sequence[str]) -> None:
        """Add one result for each call."""
        for call, result in zip(self.calls, results, strict=True):
            self._messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def _query(name: str, arguments: Any) -> str | None:
    try:
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return None
    query = arguments.get("query") if isinstance(arguments, dict) else None
    return query if name == TOOL and isinstance(query, str) and query.strip() else None


def _refuse_unfinished(reason: str | None) -> None:
    """A reply that was cut or refused is no answer; without any reason, the stream broke off."""
    if reason in ("max_tokens", "length"):
        raise ProviderError(f"the model's answer ran past {MAX_TOKENS} tokens")
    if reason in ("refusal", "content_filter"):
        raise ProviderError("the model declined to answer")
    if reason is None:
        raise ProviderError("the model's answer broke off")
