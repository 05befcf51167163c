"""What Argot must know of a provider of language models: a subclass of `Provider`, in one file.

`registry.py` lists the providers there are. No module outside this package names one.
"""

from __future__ import annotations

import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol
from urllib.parse import unquote

from argot.errors import ProviderError
from argot.llm.providers.chat import Chat, Tool

Status = Literal["good", "malformed", "refused", "lost"]  # lost: sent, but never answered
# Statuses of a provider that is only busy: the same call may succeed later.
BUSY = {408, 409, 429, 500, 502, 503, 504, 529}
# Packages that the clients are built on. Their errors mean that the provider failed to answer,
# or sent something that is no answer.
TRANSPORTS = {"httpx", "httpx2", "httpcore", "httpcore2", "json", "pydantic_core"}
QUERY_VALUE = re.compile(r"[?&][^=&#]*=([^&#]+)")  # in a URL
NO_KEY = "none"  # sent to a server of one's own, which may need no key


@dataclass(frozen=True)
class Endpoint:
    """Where a provider is asked, and how patiently."""

    base_url: str  # empty: the provider's own address
    timeout_seconds: float  # for one try of one call
    retries: int  # further tries by the client, which honours the header Retry-After


@dataclass(frozen=True)
class Prompt:
    """All of a request that a provider sees; the answer must be a JSON object of form `schema`."""

    model: str
    system: str
    user: str
    schema: dict[str, Any]
    max_tokens: int
    sampling: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of a call: how it ended, what the model wrote, and the tokens to pay for."""

    status: Status
    content: str
    tokens_in: int
    tokens_out: int


class Bounded(Protocol):
    """A call with upper bounds of the tokens to pay for."""

    @property
    def most_tokens_in(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...


def at_most(call: Bounded, status: Status, content: str = "") -> Outcome:
    """An outcome whose tokens nobody counted: it is paid as if they were as many as possible."""
    return Outcome(status, content, call.most_tokens_in, call.max_tokens)


def counted(call: Bounded, outcome: Outcome) -> Outcome:
    """The outcome of an answer, at its most where the provider doesn't say how many tokens it had.

    Every answer is paid, so one of no tokens is one that was not counted.
    """
    return outcome if outcome.tokens_in else at_most(call, outcome.status, outcome.content)


@dataclass(frozen=True)
class Progress:
    """How far a batch is."""

    done: int  # requests, whether they succeeded or failed
    ended: bool


class Batches(Protocol):
    """A provider's batches: requests that are answered within a day, at a lower price."""

    def create(self, name: str, bodies: Mapping[str, dict[str, Any]]) -> str:
        """Start a batch called `name` of bodies by their ids, and return the provider's id for it.

        Never retried by the client: if the reply got lost, a retry would start a second batch.
        """

    def find(
        self, name: str, ids: Collection[str], since: float, taken: Collection[str]
    ) -> str | None:
        """The provider's id for a batch created after `since`, not in `taken`; None without one.

        It is asked after a crash between the creation of a batch and the record of its id.
        """

    def progress(self, batch: str) -> Progress:
        """How far a batch is; ProviderError if the provider gave it up."""

    def results(self, batch: str) -> Iterator[tuple[str, Outcome | None]]:
        """Each request's id and outcome: None, and not paid, where it failed or expired."""


class Embeddings(Protocol):
    """A provider's embeddings."""

    resource: str  # the attribute of the client that has `create`
    most_texts: int  # in one call
    most_bytes: int  # of text in one call

    def arguments(self, model: str, texts: Sequence[str]) -> dict[str, Any]:
        """The arguments of the client's `create`."""

    def tokens(self, body: Any) -> int:
        """The tokens that a response's body says are paid."""

    def vectors(self, body: Any) -> list[list[float]]:
        """The vectors in a body, in the order of the texts; the body's form is not checked."""


class Provider(ABC):
    """A provider of language models. `name` is also the name of its client's Python package."""

    name: ClassVar[str]
    key_variable: ClassVar[str]  # the environment variable that holds the key
    chat_model: ClassVar[str]  # what `argot ask` asks where no model is named
    resource: ClassVar[str]  # the attribute of the client that has `create`
    # Codes of errors that refuse one request for what it says; other requests are not affected.
    refusal_codes: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def client(self, endpoint: Endpoint) -> Any:
        """The provider's own client, for one call after another."""

    @abstractmethod
    def async_client(self, endpoint: Endpoint) -> Any:
        """The provider's own client, for many calls at once."""

    @abstractmethod
    def arguments(self, prompt: Prompt) -> dict[str, Any]:
        """The arguments of `create`; `extra_body` holds those that only some models know."""

    @abstractmethod
    def parse(self, body: Any) -> Outcome:
        """The outcome in a response's body. It may raise what a body of another form raises."""

    @abstractmethod
    def batches(self, endpoint: Endpoint, poll_seconds: float) -> Batches:
        """The provider's batches."""

    @abstractmethod
    def chat(self, endpoint: Endpoint, model: str, system: str, tool: Tool) -> Chat:
        """A conversation with a model that may call one tool."""

    def embeddings(self) -> Embeddings | None:
        """The provider's embeddings, where it has some."""
        return None

    def read(self, body: Any) -> Outcome:
        """The outcome in a response's body, malformed where the body has another form."""
        try:
            return self.parse(body)
        except (KeyError, IndexError, TypeError, AttributeError):
            return Outcome("malformed", "", 0, 0)

    def key(self, endpoint: Endpoint) -> str:
        """The key, from the environment only; ProviderError names the variable if it is empty."""
        key = os.environ.get(self.key_variable, "").strip()
        if not key and not endpoint.base_url:
            raise ProviderError(
                f"no key for {self.name}: set {self.key_variable} in the environment (in no file)"
            )
        if not (key.isascii() and key.isprintable()):
            raise ProviderError(
                f"{self.key_variable} holds characters that no key has; set it again"
            )
        return key or NO_KEY

    def client_options(self, endpoint: Endpoint) -> dict[str, Any]:
        """The options that all clients share."""
        return {
            "api_key": self.key(endpoint),
            "base_url": endpoint.base_url or None,
            "timeout": endpoint.timeout_seconds,
            "max_retries": endpoint.retries,
        }

    def raised(self, error: BaseException) -> bool:
        """Is it an error of the provider's client, or of what the client is built on?"""
        return type(error).__module__.partition(".")[0] in {self.name, *TRANSPORTS}

    def error(self, error: Exception, endpoint: Endpoint) -> ProviderError:
        """A client's error in one line, without the key, which some providers repeat in theirs."""
        if isinstance(error, ProviderError):
            return error
        status, kind = getattr(error, "status_code", None), type(error).__name__
        if status in (401, 403):
            return ProviderError(
                f"{self.name} refused the key in {self.key_variable} (status {status}); check it"
            )
        if status == 404:
            return ProviderError(
                f"{self.name} knows no such model or address (status 404); "
                "check the model's name and the base URL"
            )
        if "Timeout" in kind:
            return ProviderError(f"{self.name} didn't answer within {endpoint.timeout_seconds:g} s")
        message = " ".join(str(error).split())
        for secret in self._secrets(endpoint):
            message = message.replace(secret, "[key]")
        return ProviderError(f"{self.name} failed ({kind}: {message[:300]})")

    def _secrets(self, endpoint: Endpoint) -> list[str]:
        """What no message may repeat, longest first: the key, and what a base URL carries."""
        secrets = {os.environ.get(self.key_variable, "").strip()}
        login, _, _ = endpoint.base_url.partition("://")[2].rpartition("@")
        carried = [*login.split(":"), *QUERY_VALUE.findall(endpoint.base_url)]
        secrets |= {*carried, *map(unquote, carried)}
        # Shorter ones hide nothing, but would make the message unreadable.
        return sorted((each for each in secrets if len(each) > 3), key=len, reverse=True)

    @contextmanager
    def one_line_errors(self, endpoint: Endpoint) -> Iterator[None]:
        """A context in which the client's errors become a ProviderError; others pass unchanged."""
        try:
            yield
        except Exception as error:
            if self.raised(error):
                raise self.error(error, endpoint) from None
            raise


def json_status(content: str, cut: bool) -> Status:
    """Good for a whole JSON object; malformed for anything else, or for one that was cut off."""
    try:
        return "good" if isinstance(json.loads(content), dict) and not cut else "malformed"
    except (ValueError, RecursionError):
        return "malformed"
