"""What a ranker is: one way of finding passages, by a name of its own.

A *system* is a model, its rankers and their fusion (argot.evaluation.systems). To add a ranker,
write its class, name its part of a release in argot.search.release.PARTS, and load it in
argot.search.retriever.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from argot.search.hits import Hits

# Positions of passages in the corpus, such as those that a filter lets through.
Rows = NDArray[np.int64]


class Ranker(Protocol):
    """Ranks the passages of one corpus, which it knows by their positions."""

    name: str

    def search(self, queries: Sequence[str], k: int, rows: Rows | None = None) -> Hits:
        """The k best passages of each query, of those at the positions `rows` where they are given.

        A passage that has nothing to do with the query is no hit: there may be fewer than k.
        """
        ...

    def save(self, path: Path) -> None:
        """Write the ranker's part of a release: data files alone, the same bytes on every run."""
        ...
