"""Requests, and settings of calls that suit a provider on this machine."""

from __future__ import annotations

from typing import Any

from argot.llm.calls.request import Request
from argot.llm.calls.settings import MachineLlm, Price, SpendSettings
from argot.llm.providers.base import Prompt
from argot.llm.providers.registry import PROVIDERS as REGISTERED

PROVIDERS = tuple(REGISTERED)
SCHEMA: dict[str, Any] = {"type": "object"}


def machine(url: str, provider: str, **changed: Any) -> MachineLlm:
    """Short waits, for a provider at `url`."""
    settings = {
        "base_url": f"{url}/v1" if provider == "openai" else url,
        "concurrency": 4,
        "timeout_seconds": 5.0,
        "retries": 3,
        "poll_seconds": 0.05,
        "batch_requests": 100,
    }
    return MachineLlm(**{**settings, **changed})


def spend(**changed: Any) -> SpendSettings:
    """Prices of a model `m`, and five dollars."""
    settings = {"batch": False, "max_usd": 5.0, "batch_discount": 0.5, "prices_as_of": "2026-01-01"}
    return SpendSettings(**{**settings, "prices": {"m": Price(input=1.0, output=2.0)}, **changed})


def requests(provider: Any, count: int) -> list[Request]:
    """So many different requests for one query each."""
    users = (
        f"<passage>\npump number{n}\n</passage>\nWrite 1 queries: 1 short." for n in range(count)
    )
    return [Request(provider, Prompt("m", "Be brief.", user, SCHEMA, 100)) for user in users]
