"""What a ranker is: one way of finding passages, by a name of its own.

A *system* is a model, its rankers and their fusion (argot.evaluation.systems). CONTRIBUTING.md says
what to touch to add a ranker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from argot.search.hits import Hits, ranked, union

# Positions of passages in the corpus, such as those that a filter lets through.
Rows = NDArray[np.int64]


class Ranker(Protocol):
    """Ranks the passages of one corpus, which it knows by their positions."""

    name: str
    part: str  # its file or folder in a release

    def score(self, queries: Sequence[str], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """The scores of each query's own candidates, (queries, candidates).

        A candidate is a passage's position, or MISSING, whose score is -inf.
        """
        ...

    def save(self, path: Path) -> None:
        """Write the ranker's part of a release: data files alone, the same bytes on every run."""
        ...


class Finder(Ranker, Protocol):
    """A ranker that can look through the whole corpus."""

    def search(self, queries: Sequence[str], k: int, rows: Rows | None = None) -> Hits:
        """The k best passages of each query, of those at the positions `rows` where they are given.

        A passage that has nothing to do with the query is no hit: there may be fewer than k.
        """
        ...


def scored_again(
    rankers: Mapping[str, Ranker],
    queries: Sequence[str],
    found: Sequence[Hits],
    ties: NDArray[np.int64],
) -> dict[str, Hits]:
    """All that any finder `found`, ranked by each of the rankers.

    So every ranker has a score for each candidate, and scores are scaled over the same passages.
    """
    candidates = union(found)
    return {
        name: ranked(candidates, ranker.score(queries, candidates), ties)
        for name, ranker in rankers.items()
    }
