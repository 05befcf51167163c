"""Rankings: the best k passages for each query, by (score, id), whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argot.core.exact import inner_products, on_grid, slack

MISSING = -1
# Queries are scored in blocks of at most this many scores (256 MiB of float32).
BLOCK = 1 << 26
# From so many multiplications on, a card is worth the seconds that torch takes to be imported.
HEAVY = 1 << 40

Parts = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Hits:
    """Ranked passages: `positions` and `scores`, both (queries, k), best first.

    Where there are fewer than k, the position is -1 and the score -inf.
    """

    positions: NDArray[np.int32]
    scores: NDArray[np.float32]


def tie_order(ids: Sequence[str]) -> NDArray[np.int64]:
    """The place of each id, (passages,), when ids are sorted: of two equal scores the smaller id stands first.

    Sorting by score alone lets the order of the corpus decide (embeddings-benchmark/mteb #5092).
    """
    order = np.empty(len(ids), dtype=np.int64)
    order[np.argsort(np.asarray(ids, dtype=object), kind="stable")] = np.arange(len(ids))
    return order


def top_k(scores: NDArray[np.float32], k: int, ties: NDArray[np.int64]) -> Hits:
    """The k best passages of each row of `scores` (queries, passages), by (score, tie order)."""
    k = min(k, scores.shape[1])
    positions = np.empty((len(scores), k), dtype=np.int32)
    for row, values in enumerate(scores):
        threshold = (
            np.partition(values, len(values) - k)[len(values) - k] if k < len(values) else -np.inf
        )
        kept = np.flatnonzero(values >= threshold)
        positions[row] = kept[np.lexsort((ties[kept], -values[kept]))[:k]]
    best = np.take_along_axis(scores, positions.astype(np.int64), axis=1)
    return Hits(np.where(np.isneginf(best), MISSING, positions).astype(np.int32), best)


def search_exact(
    queries: NDArray[np.float32], passages: NDArray[np.float32], k: int, ties: NDArray[np.int64]
) -> Hits:
    """The k passages nearest to each query by inner product, by (score, tie order).

    `queries` (n, d) and `passages` (m, d) are normalised. A fast product, on a CUDA card where
    there is much to do, finds what may be among the best; these are ranked by exact scores, so that
    every machine gives the same hits.
    """
    k = min(k, len(passages))
    if not k or not len(queries):
        return Hits(np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.float32))
    step = max(1, BLOCK // len(passages))
    parts = [queries[at : at + step] for at in range(0, len(queries), step)]
    if queries.size * len(passages) >= HEAVY and (device := _card()):
        near = _near_by_torch(parts, passages, k, device)
    else:
        near = _near(parts, passages, k)
    positions = np.empty((len(queries), k), np.int32)
    scores = np.empty((len(queries), k), np.float32)
    for row, place in enumerate(near):
        exact = inner_products(on_grid(queries[row]), on_grid(passages[place]))
        best = np.lexsort((ties[place], -exact))[:k]
        positions[row], scores[row] = place[best], exact[best]
    return Hits(positions, scores)


def _near(parts: Parts, passages: NDArray[np.float32], k: int) -> Iterator[NDArray[np.int64]]:
    """For each query the passages that may be among its k nearest, by position."""
    near = slack(passages.shape[1])
    for part in parts:
        for scores in part @ passages.T:
            yield np.flatnonzero(scores >= np.partition(scores, -k)[-k] - near)


def _near_by_torch(
    parts: Parts, passages: NDArray[np.float32], k: int, device: str
) -> Iterator[NDArray[np.int64]]:
    """`_near` on a device of torch."""
    import torch

    there, near = torch.tensor(passages).to(device).T, slack(passages.shape[1])
    for part in parts:
        scores = torch.tensor(part).to(device) @ there
        places = torch.nonzero(scores >= scores.topk(k, dim=1).values[:, -1:] - float(near))
        row, place = places.T.cpu().numpy()
        yield from np.split(place, np.searchsorted(row, np.arange(1, len(part))))


def _card() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else ""
