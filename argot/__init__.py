"""Argot fine-tunes an embedding model on a team's own documents, and proves that it is better."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argot.retriever import Retriever

__all__ = ["Retriever"]


def __getattr__(name: str) -> Any:
    # Imported where it is asked for: a stage that needs no search engine must not pay for one.
    if name == "Retriever":
        from argot.retriever import Retriever

        return Retriever
    raise AttributeError(f"module 'argot' has no attribute {name!r}")
