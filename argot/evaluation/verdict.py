"""First do no harm: what ships, the tuned model or the base, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from argot.core.params import Settings
from argot.evaluation.choosing import beside_bm25
from argot.evaluation.names import BM25, row, with_bm25
from argot.evaluation.statistics import Intervals, paired
from argot.search.fusion import Fusion, Verdict

Model = Literal["tuned", "base"]
SHIPS = "tuned+bm25"
# The third is the base with the weights of tuned + BM25: a luckier weight is no better model.
OPPONENTS = {
    "base+bm25": "base + BM25",
    "bm25": "BM25",
    "base+bm25 alike": "base + BM25 fused as tuned is",
}


class ReleaseSettings(Settings):
    """What it takes for a tuned model to ship: the section `release`."""

    accept_synthetic: bool
    min_questions: int = Field(ge=1)
    min_documents: int = Field(ge=2)


@dataclass(frozen=True)
class Evidence:
    """nDCG@10 of each test query, (queries,), under tuned + BM25 and its OPPONENTS, and its document group."""

    scores: Mapping[str, NDArray[np.float64]]
    clusters: NDArray[np.int64]

    @property
    def documents(self) -> int:
        """How many document groups the queries ask about."""
        return len(np.unique(self.clusters))

    def against(self, system: str, opponents: list[str], samples: int, seed: int) -> Intervals:
        """The paired differences of `system` from each opponent."""
        differences = np.stack(
            [self.scores[system] - self.scores[other] for other in opponents], axis=1
        )
        return paired(differences, self.clusters, samples, seed)


@dataclass(frozen=True)
class Decision:
    """The verdict, what ships by it, why, and the numbers it rests on."""

    model: Model
    verdict: Literal["tuned", "base", "unproven"]
    fusion: Fusion
    reason: str
    numbers: dict[str, float]

    def shipped(self, dim: int) -> Verdict:
        """What data/verdict.json holds: nothing that could change without changing the release."""
        dense = row(self.model, dim)
        systems: dict[tuple[str, ...], str] = {("bm25",): BM25, ("dense",): dense}
        system = systems.get(tuple(self.fusion.rankers), with_bm25(dense))
        return Verdict(model=self.model, verdict=self.verdict, system=system, fusion=self.fusion)


def decide(
    real: Evidence,
    synthetic: Evidence,
    fusions: Mapping[Model, Fusion],
    rules: ReleaseSettings,
    samples: int,
    seed: int,
) -> Decision:
    """Tuned + BM25 ships only if it is significantly better than each of OPPONENTS, on real questions.

    That is, the lower bounds of all paired differences lie above zero. To beat each of several at the
    full level needs no correction (Berger 1982, intersection-union test). With too few questions the
    verdict is `unproven`.
    """
    enough = len(real.clusters) >= rules.min_questions and real.documents >= rules.min_documents
    shown = real if enough or not rules.accept_synthetic else synthetic
    gains = shown.against(SHIPS, list(OPPONENTS), samples, seed)
    harm = shown.against("bm25", ["base+bm25"], samples, seed)
    worst = int(gains.low.argmin())
    better = bool(gains.low[worst] > 0)
    model: Model = "tuned" if better and (enough or rules.accept_synthetic) else "base"
    fusion = fusions[model]
    if model == "base" and harm.low[0] > 0 and (enough or rules.accept_synthetic):
        fusion = beside_bm25(fusion.method, 0.0)
    numbers = {
        "questions": len(real.clusters),
        "documents": real.documents,
        "gain": float(gains.mean[worst]),
        "low": float(gains.low[worst]),
        "high": float(gains.high[worst]),
        "over_base": float(gains.mean[0]),
        "over_bm25": float(gains.mean[1]),
        "ships_tuned": int(model == "tuned"),
        "weight": fusion.weights["dense"],
    }
    compared = _sentence(gains, worst, "real questions" if shown is real else "synthetic pairs")
    if enough:
        return Decision(model, model, fusion, compared, numbers)
    few = (
        f"only {len(real.clusters)} real questions about {real.documents} documents, "
        f"of at least {rules.min_questions} about {rules.min_documents}"
    )
    ships = (
        f"{model} ships by release.accept_synthetic, for {compared}"
        if rules.accept_synthetic
        else "base ships"
    )
    return Decision(model, "unproven", fusion, f"{few}: {ships}", numbers)


def _sentence(gains: Intervals, worst: int, queries: str) -> str:
    opponent = list(OPPONENTS.values())[worst]
    sure = "surely" if gains.low[worst] > 0 else "not surely"
    low, high = 100 * gains.low[worst], 100 * gains.high[worst]
    return (
        f"tuned + BM25 is {sure} better than {opponent}: {100 * gains.mean[worst]:+.1f} points of nDCG@10 "
        f"(95 % interval {low:+.1f} to {high:+.1f}) on {queries}"
    )
