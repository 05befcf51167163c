"""Rankings: the best k passages for each query, by (score, id), and what makes them: a ranker.

A *system* is a model, its rankers and their fusion (argot.evaluation.systems). CONTRIBUTING.md says
what to touch to add a ranker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from argot.ranking.exact import QUERIES, Near, inner_products, on_grid, slack

MISSING = -1
# Positions of passages in the corpus, such as those that a filter lets through.
Rows = NDArray[np.int64]
# On a GPU queries are scored in blocks of at most this many scores (256 MiB of float32).
BLOCK = 1 << 26
# From this many multiplications on, a GPU saves more time than importing torch costs.
HEAVY = 1 << 40


@dataclass(frozen=True)
class Hits:
    """Ranked passages: `positions` and `scores`, both (queries, k), best first.

    Where there are fewer than k, the position is -1 and the score -inf.
    """

    positions: NDArray[np.int32]
    scores: NDArray[np.float32]

    def first(self, k: int) -> Hits:
        """The k best of each query."""
        return Hits(self.positions[:, :k], self.scores[:, :k])

    def followed_by(self, deeper: Hits, k: int) -> Hits:
        """These hits, then those that only a deeper search found: k of each query in all.

        The first ranks are the same however deep the search is. A score above the one before it is
        lowered to that one.
        """
        shape = (len(self.positions), min(k, self.positions.shape[1] + deeper.positions.shape[1]))
        positions = np.full(shape, MISSING, dtype=np.int32)
        scores = np.full(shape, -np.inf, dtype=np.float32)
        for row, found in enumerate(deeper.positions):
            known = self.positions[row] != MISSING
            more = (found != MISSING) & ~np.isin(found, self.positions[row])
            least = self.scores[row][known].min(initial=np.inf)
            lowered = np.minimum(deeper.scores[row][more], least)
            places = np.append(self.positions[row][known], found[more])[:k]
            positions[row, : len(places)] = places
            scores[row, : len(places)] = np.append(self.scores[row][known], lowered)[:k]
        return Hits(positions, scores)


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


def tie_order(ids: Sequence[str]) -> NDArray[np.int64]:
    """The place of each id, (passages,), when ids are sorted: b, c, a gives 1, 2, 0.

    Of two passages with equal scores, the one with the smaller place ranks first. Sorting by score
    alone would let the order of the corpus decide (embeddings-benchmark/mteb #5092).
    """
    order = np.empty(len(ids), dtype=np.int64)
    order[np.argsort(np.asarray(ids, dtype=object), kind="stable")] = np.arange(len(ids))
    return order


def top_k(scores: NDArray[np.float32], k: int, ties: NDArray[np.int64]) -> Hits:
    """The k best passages of each row of `scores` (queries, passages), by (score, tie order)."""
    k = min(k, scores.shape[1])
    positions = np.empty((len(scores), k), dtype=np.int32)
    for row, values in enumerate(scores):
        # Of all that score at least as high as the k-th, the tie order decides who is in.
        threshold = (
            np.partition(values, len(values) - k)[len(values) - k] if k < len(values) else -np.inf
        )
        kept = np.flatnonzero(values >= threshold)
        positions[row] = kept[np.lexsort((ties[kept], -values[kept]))[:k]]
    best = np.take_along_axis(scores, positions.astype(np.int64), axis=1)
    return Hits(np.where(np.isneginf(best), MISSING, positions).astype(np.int32), best)


def union(found: Sequence[Hits]) -> NDArray[np.int32]:
    """The passages that any ranking found for each query, once each, (queries, candidates).

    The highest position is first; MISSING fills up the end.
    """
    positions = np.sort(np.concatenate([hits.positions for hits in found], axis=1), axis=1)
    positions[:, 1:][positions[:, 1:] == positions[:, :-1]] = MISSING
    # Sorted again, downwards: MISSING is the lowest of all.
    merged = -np.sort(-positions, axis=1)
    return merged[:, : int((merged != MISSING).sum(axis=1).max(initial=0))]


def ranked(
    candidates: NDArray[np.int32], scores: NDArray[np.float32], ties: NDArray[np.int64]
) -> Hits:
    """Each query's candidates, best first, by (score, tie order); a score of -inf is no hit."""
    order = np.lexsort((ties[candidates], -scores), axis=1)
    best = np.take_along_axis(scores, order, axis=1)
    positions = np.take_along_axis(candidates, order, axis=1)
    return Hits(np.where(np.isneginf(best), MISSING, positions).astype(np.int32), best)


def search_exact(
    queries: NDArray[np.float32], passages: NDArray[np.float32], k: int, ties: NDArray[np.int64]
) -> Hits:
    """The k passages nearest to each query by inner product, by (score, tie order).

    The vectors `queries` (queries, d) and `passages` (passages, d) have length 1. A fast product
    finds what may be among the best, on a GPU where there is one and the product is large. Exact
    scores then rank these few, so that a query has the same hits on every machine, alone and among
    other queries, and equal vectors have equal scores.
    """
    if queries.size * len(passages) >= HEAVY and (device := _card()):
        return search_torch(queries, passages, k, ties, device)
    return _ranked(queries, passages, _near(queries, passages, k), k, ties)


def search_torch(
    queries: NDArray[np.float32],
    passages: NDArray[np.float32],
    k: int,
    ties: NDArray[np.int64],
    device: str,
) -> Hits:
    """What `search_exact` gives, with the fast product on a device of torch."""
    return _ranked(queries, passages, _near_by_torch(queries, passages, k, device), k, ties)


def stacked(blocks: Sequence[Hits], k: int) -> Hits:
    """The hits of several blocks of queries as one; (0, k) where there is no block."""
    if not blocks:
        return Hits(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
    positions = [block.positions for block in blocks]
    scores = [block.scores for block in blocks]
    return Hits(np.concatenate(positions), np.concatenate(scores))


def _ranked(
    queries: NDArray[np.float32],
    passages: NDArray[np.float32],
    near: Iterable[NDArray[np.int64]],
    k: int,
    ties: NDArray[np.int64],
) -> Hits:
    """The k best of the passages that are `near` each query, by (exact score, tie order)."""
    shape = (len(queries), min(k, len(passages)))
    positions, scores = np.empty(shape, np.int32), np.empty(shape, np.float32)
    for row, places in enumerate(near):
        exact = inner_products(on_grid(queries[row]), on_grid(passages[places]))
        best = np.lexsort((ties[places], -exact))[:k]
        positions[row], scores[row] = places[best], exact[best]
    return Hits(positions, scores)


def _near(
    queries: NDArray[np.float32], passages: NDArray[np.float32], k: int
) -> Iterator[NDArray[np.int64]]:
    """For each query the positions of all passages that may be among its k nearest."""
    near = Near(passages, len(queries))
    for start in range(0, len(queries), QUERIES):
        part = queries[start : start + QUERIES]
        row, place = near.find(part, k)
        yield from np.split(place, np.searchsorted(row, np.arange(1, len(part))))


def _near_by_torch(
    queries: NDArray[np.float32], passages: NDArray[np.float32], k: int, device: str
) -> Iterator[NDArray[np.int64]]:
    """`_near` on a device of torch."""
    import torch

    on_device, margin = torch.tensor(passages).to(device).T, float(slack(passages.shape[1]))
    step = max(1, BLOCK // max(1, len(passages)))
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        scores = torch.tensor(part).to(device) @ on_device
        threshold = scores.topk(min(k, len(passages)), dim=1).values[:, -1:] - margin
        row, place = torch.nonzero(scores >= threshold).T.cpu().numpy()
        # `row` is in ascending order, so that the places of a row are neighbours.
        yield from np.split(place, np.searchsorted(row, np.arange(1, len(part))))


def _card() -> str:
    """The device of torch that is a GPU, or "" where there is none."""
    import torch

    return "cuda" if torch.cuda.is_available() else ""
