"""The providers' own clients, with keys from the environment only, and their errors in our words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from argot.errors import ProviderError
from argot.llm.calls.settings import MachineLlm, Provider

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic
    from openai import AsyncOpenAI, OpenAI

KEYS: dict[Provider, str] = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def openai_client(machine: MachineLlm) -> OpenAI:
    """A client for OpenAI, or for a server that speaks its language."""
    from openai import OpenAI

    return OpenAI(**_options("openai", machine))


def openai_async(machine: MachineLlm) -> AsyncOpenAI:
    """As `openai_client`, for many calls at once."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(**_options("openai", machine))


def anthropic_client(machine: MachineLlm) -> Anthropic:
    """A client for Anthropic."""
    from anthropic import Anthropic

    return Anthropic(**_options("anthropic", machine))


def anthropic_async(machine: MachineLlm) -> AsyncAnthropic:
    """As `anthropic_client`, for many calls at once."""
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(**_options("anthropic", machine))


def key(provider: Provider, machine: MachineLlm) -> str:
    """The provider's key; a server of one's own may need none. ProviderError tells which variable is empty."""
    found = os.environ.get(KEYS[provider], "").strip()
    if not found and not machine.base_url:
        raise ProviderError(
            f"no key for {provider}: set {KEYS[provider]} in the environment (in no file)"
        )
    return found or "none"


def told(provider: Provider, error: Exception, machine: MachineLlm) -> ProviderError:
    """A client's error in one line, without the key: providers repeat parts of it in their messages."""
    if isinstance(error, ProviderError):
        return error
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return ProviderError(
            f"{provider} refused the key in {KEYS[provider]} (status {status}); check it"
        )
    if status == 404:
        return ProviderError(
            f"{provider}: no such model or address; check the model (synthesize.llm.model, evaluate.compare) and "
            "base_url (machine.llm, machine.compare)"
        )
    message = " ".join(str(error).split())[:300].replace(key(provider, machine), "[key]")
    return ProviderError(
        f"{provider}: {type(error).__name__}: {message}; what was paid is kept: run again to go on"
    )


def _options(provider: Provider, machine: MachineLlm) -> dict[str, Any]:
    return {
        "api_key": key(provider, machine),
        "base_url": machine.base_url or None,
        "timeout": machine.timeout_seconds,
        "max_retries": machine.retries,  # the clients honour Retry-After
    }
