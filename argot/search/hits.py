"""Rankings: the best k passages for each query, by (score, id), whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MISSING = -1
# Queries are scored in blocks of at most this many scores (256 MiB of float32).
BLOCK = 1 << 26
# From so many multiplications on, a card is worth the seconds that torch takes to be imported.
HEAVY = 1 << 40


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
    """The k passages nearest to each query by inner product; `queries` (n, d), `passages` (m, d), both normalised.

    Where there is much to do and a CUDA card to do it, there; its sums may differ from a processor's in the last bits.
    """
    step = max(1, BLOCK // max(1, len(passages)))
    parts = [queries[at : at + step] for at in range(0, len(queries), step)]
    if queries.size * len(passages) >= HEAVY and (device := _card()):
        blocks = list(search_torch(parts, passages, k, ties, device))
    else:
        blocks = [top_k(part @ passages.T, k, ties) for part in parts]
    if not blocks:
        return Hits(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
    return Hits(
        np.concatenate([b.positions for b in blocks]), np.concatenate([b.scores for b in blocks])
    )


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
        places = torch.nonzero(scores >= scores.topk(k, dim=1).values[:, -1:])
        row, place = places.T.cpu().numpy()
        values = scores[places[:, 0], places[:, 1]].cpu().numpy()
        order = np.lexsort((ties[place], -values, row))
        kept = order[np.arange(len(row)) - np.searchsorted(row, row) < k]
        yield Hits(place[kept].reshape(-1, k).astype(np.int32), values[kept].reshape(-1, k))


def _card() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else ""
