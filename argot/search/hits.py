"""Rankings: the best k passages for each query, by (score, id), whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MISSING = -1
# Queries are scored in blocks of at most this many scores (256 MiB of float32).
BLOCK = 1 << 26
# Two float32 sums of one product, in other orders of adding, differ by less than this.
NEAR = np.float32(1e-5)
# From so many multiplications on, a card is worth the seconds that torch takes to be imported.
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
        """These hits, then those that only a deeper search found, k of each query in all.

        So a deeper search never changes the first ranks. No score is above one before it.
        """
        positions = np.full((len(self.positions), k), MISSING, dtype=np.int32)
        scores = np.full(positions.shape, -np.inf, dtype=np.float32)
        for row, own in enumerate(self.positions):
            known, found = own != MISSING, deeper.positions[row]
            more = (found != MISSING) & ~np.isin(found, own)
            least = self.scores[row][known].min(initial=np.inf)
            lower = np.minimum(deeper.scores[row][more], least)
            places = np.append(own[known], found[more])[:k]
            positions[row, : len(places)] = places
            scores[row, : len(places)] = np.append(self.scores[row][known], lower)[:k]
        return Hits(positions, scores)


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
    """The k passages nearest to each query by inner product; `queries` (n, d), `passages` (m, d), both normalised.

    The order in which BLAS adds up a product depends on how many queries come at once, and so do
    its last bits. What may be among the best is therefore scored again, in float64: two passages
    with the same vector have the same score, and a query has the same hits alone and among others.
    Where there is much to do and a CUDA card to do it, the first product is made there.
    """
    step = max(1, BLOCK // max(1, len(passages)))
    parts = [queries[at : at + step] for at in range(0, len(queries), step)]
    if queries.size * len(passages) >= HEAVY and (device := _card()):
        blocks = list(search_torch(parts, passages, k, ties, device))
    else:
        blocks = [_nearest(part, passages, k, ties) for part in parts]
    if not blocks:
        return Hits(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
    return Hits(
        np.concatenate([b.positions for b in blocks]), np.concatenate([b.scores for b in blocks])
    )


def _nearest(
    part: NDArray[np.float32], passages: NDArray[np.float32], k: int, ties: NDArray[np.int64]
) -> Hits:
    scores = part @ passages.T
    k = min(k, scores.shape[1])
    kept = []
    for values in scores:
        at = len(values) - k
        least = np.partition(values, at)[at] - NEAR if at else -np.inf
        kept.append(np.flatnonzero(values >= least))
    return _scored_again(part, passages, kept, k, ties)


def _scored_again(
    queries: NDArray[np.float32],
    passages: NDArray[np.float32],
    kept: Sequence[NDArray[np.int64]],
    k: int,
    ties: NDArray[np.int64],
) -> Hits:
    """The k best of the passages `kept` for each query, by their exact scores."""
    positions = np.empty((len(queries), k), dtype=np.int32)
    scores = np.empty(positions.shape, dtype=np.float32)
    for row, (query, places) in enumerate(zip(queries, kept, strict=True)):
        exact = np.einsum("pd,d->p", passages[places], query, dtype=np.float64).astype(np.float32)
        order = np.lexsort((ties[places], -exact))[:k]
        positions[row], scores[row] = places[order], exact[order]
    return Hits(positions, scores)


def search_torch(
    parts: Sequence[NDArray[np.float32]],
    passages: NDArray[np.float32],
    k: int,
    ties: NDArray[np.int64],
    device: str,
) -> Iterator[Hits]:
    """The hits of each part of the queries, on a device of torch: what may be among the best is ranked here."""
    import torch

    k = min(k, len(passages))
    there = torch.tensor(passages).to(device).T
    for part in parts:
        scores = torch.tensor(part).to(device) @ there
        least = scores.topk(k, dim=1).values[:, -1:] - float(NEAR)
        row, place = torch.nonzero(scores >= least).T.cpu().numpy()
        kept = np.split(place, np.searchsorted(row, np.arange(1, len(part))))
        yield _scored_again(part, passages, kept, k, ties)


def _card() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else ""
