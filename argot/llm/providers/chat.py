"""A conversation with a model that may call one tool, whoever the provider is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from argot.errors import ProviderError

MAX_TOKENS = 2000  # of one turn of the model
CUT_OFF = f"the model's answer ran past {MAX_TOKENS} tokens"


@dataclass(frozen=True)
class Tool:
    """A function that the model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """The model's request to run a tool, with the arguments it wrote, which nobody has checked."""

    id: str
    name: str
    arguments: Any


class Chat(Protocol):
    """A conversation: `say`, `stream` the model's turn, `answer` its calls, `stream` again."""

    calls: list[ToolCall]  # of the model's last turn

    def say(self, text: str) -> None:
        """Add the user's message."""

    def stream(self, may_call: bool) -> Iterator[str]:
        """The model's next turn, piece by piece; afterwards `calls` holds its calls of the tool.

        Raises ProviderError in one line where the provider fails, or the turn is not whole.
        """

    def answer(self, results: Sequence[str]) -> None:
        """Add one result for each of `calls`."""


def refuse_unfinished(reason: str | None) -> None:
    """ProviderError where a turn was cut or refused; without any reason, the stream broke off."""
    if reason in ("max_tokens", "length"):
        raise ProviderError(CUT_OFF)
    if reason in ("refusal", "content_filter"):
        raise ProviderError("the model declined to answer")
    if reason is None:
        raise ProviderError("the model's answer broke off")
