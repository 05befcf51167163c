"""Test questions that repeat a training query in other words: they may flatter the tuned model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argot.core.parquet import read_table
from argot.evaluation.judged import Queries
from argot.evaluation.names import Sides
from argot.evaluation.systems import Judged, VectorModel
from argot.ranking.hits import search_exact
from argot.tables import pairs

# The cosine, by the base's vectors, from which on two queries ask nearly the same. On three corpora
# 152 of 178 such pairs of people's questions have the same answers; stems tell less (docs/LOG.md).
NEARLY_THE_SAME = 0.8


def repeats(queries: Queries, base: VectorModel) -> NDArray[np.bool_]:
    """Does each query ask nearly the same as some training query? (queries,).

    Training queries are all that were trained on: synthetic, people's own, brought along.
    """
    trained = read_table(pairs.PATHS["train"], pairs.SCHEMA, ["query"])["query"].to_pylist()
    trained = list(dict.fromkeys(trained))
    if not trained or not len(queries):
        return np.zeros(len(queries), dtype=bool)
    ties = np.arange(len(trained))
    nearest = search_exact(base.of(queries.set, queries.texts), base.of("pairs", trained), 1, ties)
    return nearest.scores[:, 0] >= NEARLY_THE_SAME


def figures(
    judged: Sequence[Judged], base: VectorModel, compared: Sides
) -> dict[str, dict[str, Any]]:
    """How many queries of each set repeat a training query, and the gain with and without them.

    The gain is that in mean nDCG@10 of what would ship on what would stay.
    """
    measured: dict[str, dict[str, Any]] = {}
    for one in judged:
        same = repeats(one.queries, base)
        gains = one.ndcg[compared.ships] - one.ndcg[compared.stays]
        if not len(same):
            continue
        measured[one.queries.set] = {"queries": int(same.sum()), "gain": float(gains.mean())}
        if not same.all():
            measured[one.queries.set]["gain_without"] = float(gains[~same].mean())
    return measured
