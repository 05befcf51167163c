"""What is asked of a model, which decides results, and how, which doesn't: `synthesize.llm`, `machine.llm`, `spend`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from argot.core.params import Settings
from argot.errors import ParamsError

Provider = Literal["openai", "anthropic"]


class LlmSettings(Settings):
    """Which model writes queries, and which: the section `synthesize.llm`."""

    provider: Literal["none", "openai", "anthropic"]
    model: str
    sampling: dict[str, Any]
    max_tokens: int = Field(ge=64)
    queries_per_chunk: int = Field(ge=1, le=20)
    types: dict[str, float]
    examples: int = Field(ge=0)
    redact: bool
    judge: int = Field(ge=0, le=10)


class MachineLlm(Settings):
    """How a provider is called: the section `machine.llm`."""

    base_url: str
    concurrency: int = Field(ge=1)
    timeout_seconds: float = Field(gt=0)
    retries: int = Field(ge=0)
    poll_seconds: float = Field(gt=0)
    batch_requests: int = Field(ge=1)


class Price(Settings):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class SpendSettings(Settings):
    """Money: the section `spend`."""

    batch: bool
    max_usd: float = Field(ge=0)
    batch_discount: float = Field(ge=0, lt=1)
    prices_as_of: str
    prices: dict[str, Price]

    def price(self, model: str) -> Price:
        """What `model` costs; ParamsError where the table doesn't say."""
        if model not in self.prices:
            raise ParamsError(
                f"params.yaml: spend.prices: no price for '{model}'; add what its provider asks for it"
            )
        return self.prices[model]
