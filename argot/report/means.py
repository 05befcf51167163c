"""Means of nDCG@10 with their intervals, bootstrapped from the judgments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from argot.evaluation.statistics import paired

SAMPLES, SEED = 2000, 13


class MeanInterval(NamedTuple):
    """A mean with its 95 % interval; `low` and `high` are None where there is one document only."""

    mean: float
    low: float | None
    high: float | None


def rows_of(table: pa.Table, name: str, part: str) -> pa.Table:
    """The judgments of one set, and of one part of it: the whole test, or seen or held_out."""
    rows = table.filter(pc.field("set") == name)
    return rows if part == "test" else rows.filter(pc.field("seen") == (part == "seen"))


def bootstrap_means(rows: pa.Table, systems: Iterable[str]) -> dict[str, MeanInterval]:
    """The mean nDCG@10 of each system, with an interval that resamples documents, not queries."""
    means = {}
    for system in systems:
        own = rows.filter(pc.field("system") == system)
        documents = np.asarray(own["cluster"].to_pylist(), dtype=object)
        _, clusters = np.unique(documents, return_inverse=True)
        found = paired(own["ndcg@10"].to_numpy()[:, None], clusters, SAMPLES, SEED)
        mean, low, high = (float(values[0]) for values in (found.mean, found.low, found.high))
        several = clusters.max(initial=0) > 0
        means[system] = MeanInterval(
            mean, max(0.0, low) if several else None, min(1.0, high) if several else None
        )
    return means
