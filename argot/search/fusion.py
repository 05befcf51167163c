"""The rankings of several rankers made into one, each ranker with a weight.

Which ranker deserves how much differs from corpus to corpus: equal weights for all can rank worse
than BM25 alone. argot.evaluation.choosing finds the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from argot.core.params import Settings
from argot.search.hits import MISSING, Hits

# Candidates that each ranker gives. Evaluation and search must take the same number, for scores are
# scaled over the candidates.
DEPTH = 100
RANK_OFFSET = 60  # of reciprocal rank fusion (Cormack et al. 2009)
# The least score that a ranker can give. Scores of all others are scaled from their lowest candidate.
LEAST = {"bm25": 0.0}

# Each weight is rounded to two decimals, and so their sum may be off by a few hundredths.
ROUNDED = 0.03

Method = Literal["convex", "rrf"]
# By all rankers fused, or by one of them.
Mode = Literal["hybrid", "dense", "bm25"]
Floats = NDArray[np.float64]


class Part(Settings):
    """A part of a release's manifest. Fields that a later version adds are left alone."""

    model_config = ConfigDict(extra="ignore")


class Fusion(Part):
    """How rankings become one: each ranker's weight by its name, in [0, 1], together 1."""

    method: Method
    weights: dict[str, Annotated[float, Field(ge=0, le=1)]]

    @model_validator(mode="after")
    def _together_one(self) -> Self:
        total = sum(self.weights.values())
        if abs(total - 1) > ROUNDED:
            raise ValueError(f"weights should be 1 together, they are {total:g}")
        return self

    @property
    def rankers(self) -> list[str]:
        """The rankers that count: those of weight 0 are not asked."""
        return sorted(name for name, weight in self.weights.items() if weight > 0)


class Verdict(Part):
    """data/verdict.json: which model ships, why, and how its rankers are fused."""

    model: Literal["base", "tuned"]
    verdict: Literal["base", "tuned", "unproven"]
    system: str  # the evaluation's row that ships, such as tuned+bm25
    fusion: Fusion

    @property
    def mode(self) -> Mode:
        """How the release is searched where nothing else is asked for: hybrid, or by one ranker."""
        alone: dict[tuple[str, ...], Mode] = {("bm25",): "bm25", ("dense",): "dense"}
        return alone.get(tuple(self.fusion.rankers), "hybrid")


def alone(ranker: str) -> Fusion:
    """The ranking of one ranker as it is."""
    return Fusion(method="convex", weights={ranker: 1.0})


def fuse(hits: Mapping[str, Hits], fusion: Fusion, k: int, ties: NDArray[np.int64]) -> Hits:
    """The k best of all rankers' hits, by (score, tie order); `hits` by the ranker's name.

    convex: scores are scaled to [0, 1] within each query, BM25 from its theoretical minimum of 0,
    others from their lowest candidate, and summed by their weights (Bruch et al., arXiv 2210.11934).
    rrf: the sum of weight / (60 + rank). A passage that a ranker didn't find gets 0 from it.
    Candidates are the DEPTH best of each ranker. What it found below follows them, so that the
    first ranks are the same for every k.
    """
    if len(fusion.rankers) == 1:
        return hits[fusion.rankers[0]].first(k)
    own = {name: hits[name] for name in fusion.rankers}
    near = {name: found.first(DEPTH) for name, found in own.items()}
    best = Candidates.of(near, fusion.method).best(fusion.weights, k, ties)
    if k <= DEPTH:
        return best
    deeper = Candidates.of(own, fusion.method)
    return best.followed_by(deeper.best(fusion.weights, deeper.positions.shape[1], ties), k)


@dataclass(frozen=True)
class Candidates:
    """Each query's candidates, once each, with what every ranker gives them: (queries, candidates)."""

    positions: NDArray[np.int32]
    parts: dict[str, Floats]  # by ranker

    @classmethod
    def of(cls, hits: Mapping[str, Hits], method: Method) -> Candidates:
        """All that any ranker found, with scores that can be added up."""
        positions = np.concatenate([found.positions for found in hits.values()], axis=1)
        order = np.argsort(positions, axis=1, kind="stable")
        positions = np.take_along_axis(positions, order, axis=1)
        parts, start = {}, 0
        for name, found in hits.items():
            # A ranker's scores stand in its own columns; in those of others it gives 0.
            wide = np.zeros(positions.shape)
            end = start + found.positions.shape[1]
            wide[:, start:end] = _reciprocal(found) if method == "rrf" else _scaled(name, found)
            parts[name] = _gathered(positions, np.take_along_axis(wide, order, axis=1), len(hits))
            start = end
        repeated = positions[:, 1:] == positions[:, :-1]
        positions[:, 1:][repeated] = MISSING
        return cls(positions, parts)

    def scores(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """The fused score of each candidate, (queries, candidates); -inf where there is none."""
        fused = sum(weights[name] * part for name, part in self.parts.items())
        scores = np.asarray(fused).astype(np.float32)
        scores[self.positions == MISSING] = -np.inf
        return scores

    def best(self, weights: Mapping[str, float], k: int, ties: NDArray[np.int64]) -> Hits:
        """The k best candidates of each query, by (score, tie order)."""
        scores = self.scores(weights)
        order = np.lexsort((ties[self.positions], -scores), axis=1)[:, :k]
        return Hits(
            np.take_along_axis(self.positions, order, axis=1),
            np.take_along_axis(scores, order, axis=1),
        )


def _gathered(positions: NDArray[np.int32], part: Floats, rankers: int) -> Floats:
    """What a ranker gives to a candidate, moved to the candidate's first column.

    A candidate that several rankers found stands in as many columns, side by side.
    """
    gathered = part.copy()
    for distance in range(1, rankers):
        same = positions[:, :-distance] == positions[:, distance:]
        gathered[:, :-distance] += part[:, distance:] * same
    return gathered


def _scaled(ranker: str, hits: Hits) -> Floats:
    scores = np.where(hits.positions == MISSING, np.nan, hits.scores).astype(np.float64)
    if scores.shape[1] == 0:
        return scores
    high = scores[:, :1]
    low = LEAST.get(ranker, np.fmin.reduce(scores, axis=1, keepdims=True))
    span = np.where(high > low, high - low, 1.0)
    return np.nan_to_num((scores - low) / span)


def _reciprocal(hits: Hits) -> Floats:
    ranks = np.arange(1, hits.positions.shape[1] + 1)
    return np.where(hits.positions == MISSING, 0.0, 1 / (RANK_OFFSET + ranks))
