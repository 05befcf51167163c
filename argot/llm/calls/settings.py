"""What is asked of a model, which decides results, and how it is asked, which does not.

The sections `synthesize.llm`, `machine.llm` and `spend` of params.yaml.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from argot.core.params import Settings
from argot.errors import ParamsError
from argot.llm.providers.base import Endpoint
from argot.llm.providers.registry import NAMES, NO_PROVIDER, PROVIDERS


def _known(name: str) -> str:
    if name not in (*PROVIDERS, NO_PROVIDER):
        raise PydanticCustomError("provider", f"expected {NAMES}")
    return name


class LlmSettings(Settings):
    """Which model writes which queries: the section `synthesize.llm`."""

    provider: Annotated[str, AfterValidator(_known)]
    model: str
    sampling: dict[str, Any]
    max_tokens: int = Field(ge=64)
    queries_per_chunk: int = Field(ge=1, le=20)
    types: dict[str, float]
    examples: int = Field(ge=0)
    redact: bool
    judge: int = Field(ge=0, le=10)

    @property
    def has_provider(self) -> bool:
        """Is a model asked at all?"""
        return self.provider != NO_PROVIDER


class MachineLlm(Settings):
    """How a provider is called: the section `machine.llm`."""

    base_url: str
    concurrency: int = Field(ge=1)
    timeout_seconds: float = Field(gt=0)
    retries: int = Field(ge=0)
    poll_seconds: float = Field(gt=0)
    batch_requests: int = Field(ge=1)

    @property
    def endpoint(self) -> Endpoint:
        """Where the provider is asked."""
        return Endpoint(self.base_url, self.timeout_seconds, self.retries)


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
        """What `model` costs; ParamsError where the table does not say."""
        if model not in self.prices:
            raise ParamsError(
                f"params.yaml: spend.prices: no price for '{model}'; "
                "add what its provider asks for it"
            )
        return self.prices[model]
