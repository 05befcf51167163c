"""Argot fine-tunes an embedding model on a team's own documents, and proves that it is better.

These names are the library's public face; every other module may change from one version to the
next.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argot.errors import (
        ArgotError,
        InputError,
        ModelError,
        ParamsError,
        ProviderError,
        ReleaseError,
    )
    from argot.search.retriever import Passage, Retriever

    __version__: str

__all__ = [
    "ArgotError",
    "InputError",
    "ModelError",
    "ParamsError",
    "Passage",
    "ProviderError",
    "ReleaseError",
    "Retriever",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # Imported only when asked for: a stage that needs no search engine neither loads nor depends on
    # it.
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("argot-retrieval")
    if name in __all__:
        # The modules are named by text, so that the stages' deps in dvc.yaml don't follow them.
        home = "argot.search.retriever" if name in ("Passage", "Retriever") else "argot.errors"
        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'argot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
