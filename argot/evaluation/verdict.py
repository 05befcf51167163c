"""First do no harm: what ships, the tuned model or the base, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from argot.core.params import Settings
from argot.evaluation.names import BM25, Sides, name, with_bm25
from argot.evaluation.statistics import Intervals, paired
from argot.ranking.fusion import Fusion, Verdict

Model = Literal["tuned", "base"]
# The base fused by the weights of the tuned model's row. It is an opponent because a luckier weight
# would not make tuned the better model.
SAME_FUSION = "base, fusion of tuned"


class ReleaseSettings(Settings):
    """What it takes for a tuned model to ship: the section `release`."""

    accept_synthetic: bool
    min_questions: int = Field(ge=1)
    min_documents: int = Field(ge=2)


@dataclass(frozen=True)
class PairedScores:
    """nDCG@10 of the same test queries under all systems that could ship, and SAME_FUSION.

    The systems are those of `argot.evaluation.names`, with vectors as they ship.
    """

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

    verdict: Verdict
    reason: str
    numbers: dict[str, float]


def decide(
    real: PairedScores,
    synthetic: PairedScores,
    fusions: Mapping[str, Fusion],
    compared: Sides,
    rules: ReleaseSettings,
    samples: int,
    seed: int,
) -> Decision:
    """What ships, of the systems in `fusions`; with all rankers they are `compared`.

    The tuned model ships only if it is significantly better than the base with the same rankers,
    however both are fused, and than BM25, on real questions. That is, the lower ends of the
    intervals of all paired differences are above zero. To beat every one of several opponents at
    the full level needs no correction (Berger 1982, intersection-union test). With too few
    questions the verdict is `unproven`.
    """
    draw = (samples, seed)
    # 1. Real questions decide where there are enough of them.
    enough = len(real.clusters) >= rules.min_questions and real.documents >= rules.min_documents
    shown = real if enough or not rules.accept_synthetic else synthetic
    decides = enough or rules.accept_synthetic
    # 2. The opponent with the lowest lower end decides for all.
    opponents = [compared.stays, BM25, SAME_FUSION]
    gains = shown.against(compared.ships, opponents, *draw)
    worst = int(gains.low.argmin())
    model: Model = "tuned" if decides and gains.low[worst] > 0 else "base"
    # 3. Of the model's systems, the one with all rankers ships, unless one with fewer is
    #    significantly better.
    whole = compared.ships if model == "tuned" else compared.stays
    system = _unharmed(shown, whole, list(fusions), *draw) if decides else whole
    # 4. What a team would have without Argot is the better of BM25 and base + BM25.
    without = [BM25, with_bm25(compared.stays.partition("+")[0])]
    today = max(without, key=lambda row: float(shown.scores[row].sum()))
    gained = shown.against(system, [today], *draw)
    numbers = {
        "questions": len(real.clusters),
        "documents": real.documents,
        "gain": float(gains.mean[worst]),
        "low": float(gains.low[worst]),
        "high": float(gains.high[worst]),
        "over_base": float(gains.mean[0]),
        "over_bm25": float(gains.mean[1]),
        "over_today": float(gained.mean[0]),
        "over_today_low": float(gained.low[0]),
        "over_today_high": float(gained.high[0]),
        "ships_tuned": int(model == "tuned"),
        **{f"weight_{ranker}": weight for ranker, weight in fusions[system].weights.items()},
    }
    # The release first, and then what tuning adds to it.
    told = [] if system == today else [_sentence(name(system), name(today), gained, 0)]
    others = [name(compared.stays), name(BM25), f"{name(compared.stays)} fused as tuned is"]
    told.append(_sentence(name(compared.ships), others[worst], gains, worst))
    reason = f"{'; '.join(told)}, on {'real questions' if shown is real else 'synthetic pairs'}"
    verdict: Literal["tuned", "base", "unproven"] = model if enough else "unproven"
    if not enough:
        few = (
            f"only {len(real.clusters)} real questions about {real.documents} documents, "
            f"of at least {rules.min_questions} about {rules.min_documents}"
        )
        ships = f"{model} ships by release.accept_synthetic, for {reason}"
        reason = f"{few}: {ships if rules.accept_synthetic else 'base ships'}"
    shipped = Verdict(model=model, verdict=verdict, system=system, fusion=fusions[system])
    return Decision(shipped, reason, numbers)


def _unharmed(
    shown: PairedScores, whole: str, systems: Sequence[str], samples: int, seed: int
) -> str:
    """The system that ships: `whole`, or the best of the simpler ones that surely beat it.

    Simpler are BM25 and the systems of the same model with fewer rankers.
    """
    fewer = [row for row in systems if row == BM25 or (whole.startswith(row) and row != whole)]
    harm = shown.against(whole, fewer, samples, seed)
    better = [row for row, high in zip(fewer, harm.high, strict=True) if high < 0]
    return max(better, key=lambda row: float(shown.scores[row].sum()), default=whole)


def _sentence(ours: str, theirs: str, gains: Intervals, at: int) -> str:
    surely = "is" if gains.low[at] > 0 else "is not"
    mean, low, high = (100 * ends[at] for ends in (gains.mean, gains.low, gains.high))
    return (
        f"{ours} {surely} significantly better than {theirs}: {mean:+.1f} points of nDCG@10 "
        f"(95 % interval {low:+.1f} to {high:+.1f})"
    )
