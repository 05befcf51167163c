"""Rankings to fuse, written down or drawn."""

from __future__ import annotations

import numpy as np

from argot.ranking.hits import MISSING, Hits


def hits(rows: list[dict[int, float]], k: int) -> Hits:
    ranked = [sorted(row.items(), key=lambda hit: (-hit[1], hit[0])) for row in rows]
    padded = [row + [(MISSING, -np.inf)] * (k - len(row)) for row in ranked]
    positions, scores = np.moveaxis(np.array(padded, dtype=np.float64), 2, 0)
    return Hits(positions.astype(np.int32), scores.astype(np.float32))


def random_hits(queries: int, passages: int, k: int, seed: int, share: float = 1.0) -> Hits:
    rng = np.random.default_rng(seed)
    rows = [
        {
            int(p): float(rng.random())
            for p in rng.choice(passages, size=max(0, int(k * share)), replace=False)
        }
        for _ in range(queries)
    ]
    return hits(rows, k)
