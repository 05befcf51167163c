"""Rankings: the best k passages for each query, by (score, id), whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MISSING = -1
# Queries are scored in blocks of at most this many scores (256 MiB of float32).
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
    """The k passages nearest to each query by inner product.

    The vectors `queries` (queries, d) and `passages` (passages, d) have length 1. Large products
    are computed on a GPU, if there is one; its sums may differ from a CPU's in the last bits.
    """
    step = max(1, BLOCK // max(1, len(passages)))
    parts = [queries[at : at + step] for at in range(0, len(queries), step)]
    if queries.size * len(passages) >= HEAVY and (device := _card()):
        blocks = list(search_torch(parts, passages, k, ties, device))
    else:
        blocks = [top_k(part @ passages.T, k, ties) for part in parts]
    return stacked(blocks, k)


def stacked(blocks: Sequence[Hits], k: int) -> Hits:
    """The hits of several blocks of queries as one; (0, k) where there is no block."""
    if not blocks:
        return Hits(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
    positions = [block.positions for block in blocks]
    scores = [block.scores for block in blocks]
    return Hits(np.concatenate(positions), np.concatenate(scores))


def search_torch(
    parts: Sequence[NDArray[np.float32]],
    passages: NDArray[np.float32],
    k: int,
    ties: NDArray[np.int64],
    device: str,
) -> Iterator[Hits]:
    """The hits of each part of the queries, computed on a device of torch."""
    import torch

    k = min(k, len(passages))
    on_device = torch.tensor(passages).to(device).T
    for part in parts:
        # 1. On the device: all passages that score at least as high as the query's k-th.
        scores = torch.tensor(part).to(device) @ on_device
        places = torch.nonzero(scores >= scores.topk(k, dim=1).values[:, -1:])
        row, place = places.T.cpu().numpy()
        values = scores[places[:, 0], places[:, 1]].cpu().numpy()
        # 2. Here: those few are sorted by query, score and tie order.
        order = np.lexsort((ties[place], -values, row))
        # 3. `row` is in ascending order. A passage's place, less the place of its row's first
        #    passage, is its rank from 0.
        kept = order[np.arange(len(row)) - np.searchsorted(row, row) < k]
        yield Hits(place[kept].reshape(-1, k).astype(np.int32), values[kept].reshape(-1, k))


def _card() -> str:
    """The device of torch that is a GPU, or "" where there is none."""
    import torch

    return "cuda" if torch.cuda.is_available() else ""
