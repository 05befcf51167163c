"""One question to a model, and what came back, in both providers' forms."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

from argot.llm.calls.settings import Provider

Status = Literal["good", "malformed", "refused"]


class Call(Protocol):
    """What must be known of a call to make it, to pay it, and to read what comes back."""

    @property
    def provider(self) -> Provider: ...
    @property
    def model(self) -> str: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def most_tokens_in(self) -> int: ...
    @property
    def resource(self) -> str: ...
    @property
    def arguments(self) -> dict[str, Any]: ...
    def read(self, body: Any) -> Answer: ...


@dataclass(frozen=True)
class Request:
    """A prompt whose answer must be a JSON object of the form `schema`; `about` names what it was made from."""

    provider: Provider
    model: str
    system: str
    user: str
    schema: dict[str, Any]
    max_tokens: int
    sampling: dict[str, Any] = field(default_factory=dict)
    about: str = ""

    @cached_property
    def key(self) -> str:
        """The name of the reply: a hash of all that the provider sees."""
        return hashlib.sha256(
            json.dumps([self.provider, self.body], sort_keys=True).encode()
        ).hexdigest()[:32]

    @cached_property
    def prompt(self) -> str:
        """The hash of the instructions alone, the same for all passages."""
        return hashlib.sha256(self.system.encode()).hexdigest()[:16]

    @property
    def resource(self) -> str:
        """The part of the client whose `create` takes it."""
        return "chat.completions" if self.provider == "openai" else "messages"

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the client's `create`; what only this model knows goes into `extra_body`."""
        return (_openai if self.provider == "openai" else _anthropic)(self)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON that goes over the wire, alone or within a batch."""
        arguments = self.arguments
        extra = arguments.pop("extra_body")
        return {**arguments, **extra}

    @property
    def most_tokens_in(self) -> int:
        """More tokens than the provider can count: one a byte, and some for the form."""
        return len(json.dumps(self.body, ensure_ascii=False).encode()) + 500

    def read(self, body: Any) -> Answer:
        """The answer in a response's body."""
        return read_answer(self.provider, body)


@dataclass(frozen=True)
class Answer:
    """What a model said: its text, how it ended, and the tokens that are paid."""

    status: Status
    content: str
    tokens_in: int
    tokens_out: int


def _openai(request: Request) -> dict[str, Any]:
    return {
        "model": request.model,
        "messages": [
            {"role": "system", "content": request.system},
            {"role": "user", "content": request.user},
        ],
        "max_completion_tokens": request.max_tokens,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": request.schema},
        },
        "extra_body": request.sampling,
    }


def _anthropic(request: Request) -> dict[str, Any]:
    sampling = dict(request.sampling)
    effort = {"effort": sampling.pop("effort")} if "effort" in sampling else {}
    return {
        "model": request.model,
        "system": request.system,
        "messages": [{"role": "user", "content": request.user}],
        "max_tokens": request.max_tokens,
        "output_config": {"format": {"type": "json_schema", "schema": request.schema}, **effort},
        "extra_body": sampling,
    }


def read_answer(provider: Provider, body: Any) -> Answer:
    """A provider's response as an answer; one that isn't a JSON object, or was cut short, is malformed."""
    try:
        return (_read_openai if provider == "openai" else _read_anthropic)(body)
    except (KeyError, IndexError, TypeError, AttributeError):
        return Answer("malformed", "", 0, 0)


def _read_openai(body: Any) -> Answer:
    usage = body.get("usage") or {}
    tokens = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    choice = body["choices"][0]
    content = choice["message"].get("content") or ""
    if choice["message"].get("refusal") or choice.get("finish_reason") == "content_filter":
        return Answer("refused", "", *tokens)
    return Answer(_status(content, choice.get("finish_reason") == "length"), content, *tokens)


def _read_anthropic(body: Any) -> Answer:
    usage = body.get("usage") or {}
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    tokens = sum(int(usage.get(part) or 0) for part in parts), int(usage.get("output_tokens") or 0)
    if body.get("stop_reason") == "refusal":
        return Answer("refused", "", *tokens)
    # Thinking may stand before the answer: only blocks of text count.
    content = "".join(block["text"] for block in body["content"] if block["type"] == "text")
    return Answer(_status(content, body.get("stop_reason") == "max_tokens"), content, *tokens)


def _status(content: str, cut: bool) -> Status:
    try:
        return "good" if isinstance(json.loads(content), dict) and not cut else "malformed"
    except (ValueError, RecursionError):
        return "malformed"
