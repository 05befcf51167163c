"""The providers there are. A new one is a file beside this one and a line in `PROVIDERS`."""

from __future__ import annotations

from argot.llm.providers.anthropic import Anthropic
from argot.llm.providers.base import Embeddings, Provider
from argot.llm.providers.openai import OpenAi

# By name. `argot ask` without --provider takes the first one whose key is in the environment.
PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in (Anthropic(), OpenAi())}
NO_PROVIDER = "none"  # in settings: nobody is asked
NAMES = f"{', '.join(PROVIDERS)} or {NO_PROVIDER}"
# The provider whose language servers of one's own speak (vLLM, Ollama).
OWN_SERVER = PROVIDERS["openai"]


def embedding_provider() -> tuple[Provider, Embeddings]:
    """The provider of the managed embedding models: the first one that has embeddings."""
    for provider in PROVIDERS.values():
        if (embeddings := provider.embeddings()) is not None:
            return provider, embeddings
    raise LookupError("no provider has embeddings")
