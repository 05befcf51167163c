"""One question to a model of a provider, and the name under which its reply is stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from argot.llm.providers.base import Outcome, Prompt
from argot.llm.providers.registry import PROVIDERS


class Call(Protocol):
    """What must be known of a call to make it, to pay for it, and to read what comes back."""

    @property
    def provider(self) -> str: ...
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
    def read(self, body: Any) -> Outcome: ...


class Attempt(NamedTuple):
    """One try of a request: what is needed to store its reply, even without its passage."""

    key: str
    number: int  # 0 for the first
    model: str
    prompt: str  # the hash of the instructions
    about: str
    # Bounds of its bill. Records of batches that older versions wrote have none.
    most_tokens_in: int = 0
    max_tokens: int = 0

    @property
    def id(self) -> str:
        """The name of the try within a batch."""
        return f"{self.key}-{self.number}"


@dataclass(frozen=True)
class Request:
    """A prompt for a provider; `about` names the passage that it was made from."""

    provider: str
    prompt: Prompt
    about: str = ""

    @cached_property
    def key(self) -> str:
        """The name of the reply: a hash of all that the provider sees.

        Paid replies are found by it, so whatever changes it makes all of them be paid again.
        """
        seen = json.dumps([self.provider, self.body], sort_keys=True)
        return hashlib.sha256(seen.encode()).hexdigest()[:32]

    @cached_property
    def instructions(self) -> str:
        """The hash of the instructions alone, which is the same for all passages."""
        return hashlib.sha256(self.prompt.system.encode()).hexdigest()[:16]

    @property
    def model(self) -> str:
        """The model's name."""
        return self.prompt.model

    @property
    def max_tokens(self) -> int:
        """The longest answer, in tokens."""
        return self.prompt.max_tokens

    @property
    def resource(self) -> str:
        """The attribute of the provider's client that has `create`."""
        return PROVIDERS[self.provider].resource

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the client's `create`."""
        return PROVIDERS[self.provider].arguments(self.prompt)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON that goes over the wire, alone or within a batch."""
        arguments = self.arguments
        extra = arguments.pop("extra_body")
        return {**arguments, **extra}

    @property
    def most_tokens_in(self) -> int:
        """More tokens than the provider can count: one a byte, and 500 for the provider's form."""
        return len(json.dumps(self.body, ensure_ascii=False).encode()) + 500

    @property
    def letters(self) -> int:
        """The length of the prompt in letters, from which its tokens are estimated."""
        return len(self.prompt.system + self.prompt.user)

    def attempt(self, number: int) -> Attempt:
        """The try of this number, from 0."""
        bounds = self.most_tokens_in, self.max_tokens
        return Attempt(self.key, number, self.model, self.instructions, self.about, *bounds)

    def read(self, body: Any) -> Outcome:
        """The outcome in a response's body."""
        return PROVIDERS[self.provider].read(body)
