"""How probable it is that a passage answers, from what the rankers of a search scored.

Fused scores are scaled within each question, so that its best passage has about the same score
whether it answers or not. What the rankers themselves score can be compared between questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from argot.core.params import Settings
from argot.ranking.hits import MISSING, Hits

Floats = NDArray[np.float64]
# A scale without an end, such as BM25's, counts by its logarithm.
UNBOUNDED = ("bm25",)
# The penalty on weights, in queries' passages: it keeps few questions from being fitted too well.
RIDGE, STEPS = 1.0, 50


class Calibration(Settings):
    """Logistic regression on the rankers' own scores and the rank (Platt 1999, with more scores).

    Weights are those of the log-odds that a passage answers.
    """

    model_config = ConfigDict(extra="ignore")
    intercept: float
    scores: dict[str, float]  # each ranker's weight, by its name
    rank: float  # of the logarithm of the rank
    least: float = Field(ge=0, le=1)  # nothing fits where the best passage is less probable
    source: Literal["questions", "pairs"]  # people's dev questions, or synthetic ones

    def of(self, best: Hits, found: Mapping[str, Hits]) -> Floats:
        """The probability that each of the `best` passages answers, (queries, k); MISSING has 0.

        `found` is what each ranker found, by its name.
        """
        odds = columns(best, found, list(self.scores)) @ [*self.scores.values(), self.rank]
        return np.where(best.positions == MISSING, 0.0, _probability(odds + self.intercept))


def columns(best: Hits, found: Mapping[str, Hits], rankers: Sequence[str]) -> Floats:
    """What decides: each ranker's score and the rank's logarithm, (queries, k, rankers + 1)."""
    scores = [_scores(name, best.positions, found[name]) for name in rankers]
    ranks = np.log(np.arange(1, best.positions.shape[1] + 1))
    return np.stack([*scores, np.broadcast_to(ranks, best.positions.shape)], axis=2)


def fit(values: Floats, answers: NDArray[np.bool_]) -> tuple[float, Floats]:
    """Intercept and weights of a logistic regression with a penalty, by Newton's method.

    `values` is (passages, columns), `answers` (passages,). The columns are fitted at the same
    scale, and the weights are those of the columns as they are.
    """
    middle, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1.0
    rows = np.column_stack([np.ones(len(values)), (values - middle) / scale])
    penalty = np.diag([0.0] + [RIDGE] * values.shape[1])
    weights = np.zeros(rows.shape[1])
    # Without a single answer, or with answers alone, the intercept has no end.
    weights[0] = _log_odds((answers.sum() + 0.5) / (len(answers) + 1))
    for _ in range(STEPS if 0 < answers.sum() < len(answers) else 0):
        chance = _probability(rows @ weights)
        slope = rows.T @ (chance - answers) + penalty @ weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + penalty
        weights = weights - np.linalg.solve(curve, slope)
    own = weights[1:] / scale
    return float(weights[0] - own @ middle), own


def _scores(name: str, positions: NDArray[np.int32], hits: Hits) -> Floats:
    """What a ranker scored the passages at `positions`, (queries, k).

    A passage that it didn't find has the lowest score that it gave, or 0 from BM25.
    """
    there = hits.positions != MISSING
    same = (positions[:, :, None] == hits.positions[:, None, :]) & there[:, None, :]
    scores = np.where(there, hits.scores, np.inf).astype(np.float64)
    lowest = np.zeros(len(scores)) if name in UNBOUNDED else scores.min(axis=1, initial=np.inf)
    lowest = np.where(np.isinf(lowest), 0.0, lowest)
    known = np.where(same, scores[:, None, :], -np.inf).max(axis=2, initial=-np.inf)
    known = np.where(np.isinf(known), lowest[:, None], known)
    return np.log1p(known) if name in UNBOUNDED else known


def _probability(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
