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
# The base fused with BM25 by the weights of tuned + BM25. It is an opponent because a luckier
# weight would not make tuned the better model.

SAME_FUSION = "base+bm25, fusion of tuned"
OPPONENTS = {
    "base+bm25": "base + BM25",
    "bm25": "BM25",
    SAME_FUSION: "base + BM25 fused as tuned is",
}


class ReleaseSettings(Settings):
    """What it takes for a tuned model to ship: the section `release`."""

    accept_synthetic: bool
    min_questions: int = Field(ge=1)
    min_documents: int = Field(ge=2)


@dataclass(frozen=True)
class PairedScores:
    """nDCG@10 of the same test queries under tuned + BM25 and its OPPONENTS."""

    scores: Mapping[str, NDArray[np.float64]]  # by system, each (queries,)
    clusters: NDArray[np.int64]  # the number of each query's document group, (queries,)

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
    """The verdict, what ships by it, why, and the numbers that decided."""

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
    real: PairedScores,
    synthetic: PairedScores,
    fusions: Mapping[Model, Fusion],
    rules: ReleaseSettings,
    samples: int,
    seed: int,
) -> Decision:
    """Tuned + BM25 ships only if it is significantly better than every opponent, on real questions.

    That is, the lower ends of the intervals of all paired differences are above zero. To beat every
    one of several opponents at the full level needs no correction (Berger 1982, intersection-union
    test). With too few questions the verdict is `unproven`.
    """
    # 1. Real questions decide where there are enough of them.
    enough = len(real.clusters) >= rules.min_questions and real.documents >= rules.min_documents
    shown = real if enough or not rules.accept_synthetic else synthetic
    # 2. The opponent with the lowest lower end decides for all.
    gains = shown.against(SHIPS, list(OPPONENTS), samples, seed)
    worst = int(gains.low.argmin())
    better = bool(gains.low[worst] > 0)
    model: Model = "tuned" if better and (enough or rules.accept_synthetic) else "base"
    # 3. Where the base stays and makes BM25 significantly worse, BM25 ships without its vectors.
    fusion = fusions[model]
    harm = shown.against("bm25", ["base+bm25"], samples, seed)
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
    is_better = "is" if gains.low[worst] > 0 else "is not"
    mean, low, high = (100 * ends[worst] for ends in (gains.mean, gains.low, gains.high))
    return (
        f"tuned + BM25 {is_better} significantly better than {opponent}: {mean:+.1f} points of "
        f"nDCG@10 (95 % interval {low:+.1f} to {high:+.1f}) on {queries}"
    )
