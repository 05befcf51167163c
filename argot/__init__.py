"""Argot fine-tunes an embedding model on a team's own documents, and proves that it is better."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argot.search.retriever import Retriever

__all__ = ["Retriever"]


def __getattr__(name: str) -> Any:
    # Imported by name and only when asked for: a stage that needs no search engine neither loads nor depends on it.
    if name == "Retriever":
        return importlib.import_module("argot.search.retriever").Retriever
    raise AttributeError(f"module 'argot' has no attribute {name!r}")
