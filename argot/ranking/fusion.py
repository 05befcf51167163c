"""Hybrid search: the rankings of several rankers made into one, each ranker with a weight.

The best weights differ from corpus to corpus: equal weights for all can rank worse than BM25 alone.
argot.evaluation.choosing finds the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from argot.core.params import Settings
from argot.ranking.hits import MISSING, Hits, ranked, union
from argot.ranking.probability import Calibration

if TYPE_CHECKING:
    from argot.ranking.hits import Ranker

# The number of candidates that each ranker gives. Evaluation and search must take the same number,
# because scores are scaled over the candidates.
DEPTH = 100
# Reciprocal rank fusion adds this to every rank (Cormack et al. 2009).
RANK_OFFSET = 60
# The least score that a ranker can give. Other rankers' scores are scaled from their lowest
# candidate.
LEAST = {"bm25": 0.0}

# Weights are rounded to two decimals, so that their sum may differ from 1 by this much.
ROUNDING = 0.03

Method = Literal["convex", "rrf"]
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
        if abs(total - 1) > ROUNDING:
            raise ValueError(f"weights must add up to 1, they add up to {total:g}")
        return self

    @property
    def rankers(self) -> list[str]:
        """The rankers that count: those of weight 0 are not asked."""
        return sorted(name for name, weight in self.weights.items() if weight > 0)

    @property
    def by_token(self) -> bool:
        """Do tokens take part? They rank what the other rankers find."""
        return "tokens" in self.rankers


class Verdict(Part):
    """data/verdict.json: which model ships, how its rankers are fused, and what scores mean."""

    model: Literal["base", "tuned"]
    verdict: Literal["base", "tuned", "unproven"]
    system: str  # the evaluation's row that ships, such as tuned+bm25
    fusion: Fusion
    calibration: Calibration | None = None  # None where there was no dev query

    @model_validator(mode="after")
    def _of_the_same_rankers(self) -> Self:
        if self.calibration and sorted(self.calibration.scores) != self.fusion.rankers:
            raise ValueError("calibration: its scores must be those of the fusion's rankers")
        return self

    @property
    def mode(self) -> str:
        """How the release is searched where nothing else is asked for: hybrid, or by one ranker."""
        rankers = self.fusion.rankers
        return rankers[0] if len(rankers) == 1 else "hybrid"


def alone(ranker: str) -> Fusion:
    """A fusion of one ranker: its ranking as it is."""

    return Fusion(method="convex", weights={ranker: 1.0})


def fuse(hits: Mapping[str, Hits], fusion: Fusion, k: int, ties: NDArray[np.int64]) -> Hits:
    """The k best of all rankers' hits, by (score, tie order); `hits` by the ranker's name.

    convex: scores are scaled to [0, 1] within each query, BM25's from its theoretical minimum of 0,
    others' from their lowest candidate. Then they are summed by weight (Bruch et al., arXiv
    2210.11934).
    rrf: the sum of weight / (60 + rank).
    A passage that a ranker didn't find gets 0 from it.

    The candidates are all `hits`, DEPTH of each ranker in the evaluation. Where tokens take part,
    all rankers rank the same candidates already (`scored_again`).
    """
    if len(fusion.rankers) == 1:
        return hits[fusion.rankers[0]].first(k)
    own = {name: hits[name] for name in fusion.rankers}
    return CandidatePool.of(own, fusion.method).best(fusion.weights, k, ties)


def scored_again(
    rankers: Mapping[str, Ranker],
    queries: Sequence[str],
    found: Sequence[Hits],
    ties: NDArray[np.int64],
) -> dict[str, Hits]:
    """All that any finder `found`, ranked by each of the rankers.

    So every ranker has a score for each candidate, and scores are scaled over the same passages.
    """
    candidates = union(found)
    return {
        name: ranked(candidates, ranker.score(queries, candidates), ties)
        for name, ranker in rankers.items()
    }


@dataclass(frozen=True)
class CandidatePool:
    """Each query's candidates without repeats, and what every ranker gives them.

    All arrays are (queries, candidates). A candidate that several rankers found is in the first of
    its columns; the others hold MISSING.
    """

    positions: NDArray[np.int32]
    parts: dict[str, Floats]  # scores that can be added up, by the ranker's name

    @classmethod
    def of(cls, hits: Mapping[str, Hits], method: Method) -> CandidatePool:
        """All that any ranker found."""
        # 1. The hits of all rankers side by side, sorted, so that the same passage has neighbouring
        #    columns.
        positions = np.concatenate([found.positions for found in hits.values()], axis=1)
        order = np.argsort(positions, axis=1, kind="stable")
        positions = np.take_along_axis(positions, order, axis=1)
        # 2. A ranker gives its scores in its own columns and 0 in those of the others. They are
        #    sorted like the positions, then added up in each passage's first column.
        parts, start = {}, 0
        for name, found in hits.items():
            wide = np.zeros(positions.shape)
            end = start + found.positions.shape[1]
            wide[:, start:end] = _reciprocal(found) if method == "rrf" else _scaled(name, found)
            parts[name] = _gathered(positions, np.take_along_axis(wide, order, axis=1), len(hits))
            start = end
        # 3. A passage's further columns are dropped.
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
    """What a ranker gives to a candidate, moved to the candidate's first column."""
    gathered = part.copy()
    # A candidate has at most one column for each ranker, and they are neighbours.

    for distance in range(1, rankers):
        same = positions[:, :-distance] == positions[:, distance:]
        gathered[:, :-distance] += part[:, distance:] * same
    return gathered


def _scaled(ranker: str, hits: Hits) -> Floats:
    """Scores scaled to [0, 1] within each query; MISSING gets 0."""
    scores = np.where(hits.positions == MISSING, np.nan, hits.scores).astype(np.float64)
    if scores.shape[1] == 0:
        return scores
    # Hits are sorted, so that the first has the highest score.
    high = scores[:, :1]
    low = LEAST.get(ranker, np.fmin.reduce(scores, axis=1, keepdims=True))
    # Where all scores are the same, there is nothing to divide by.
    span = np.where(high > low, high - low, 1.0)
    return np.nan_to_num((scores - low) / span)


def _reciprocal(hits: Hits) -> Floats:
    """1 / (60 + rank) for each hit; MISSING gets 0."""
    ranks = np.arange(1, hits.positions.shape[1] + 1)
    return np.where(hits.positions == MISSING, 0.0, 1 / (RANK_OFFSET + ranks))
