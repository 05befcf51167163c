"""First do no harm: what ships, the tuned model or the base, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from argot.core.params import Settings
from argot.evaluation.names import BM25, Sides, name, with_bm25
from argot.evaluation.statistics import LEVEL, effective_documents, paired, provable
from argot.ranking.fusion import Fusion, Verdict

Model = Literal["tuned", "base"]
# The base fused by the weights of the tuned model's row. It is an opponent because a luckier weight
# would not make tuned the better model.
SAME_FUSION = "the base fused as tuned is"
# More than so many times the questions that there are is no advice to anybody.
MOST_TIMES = 100


class ReleaseSettings(Settings):
    """What it takes for a tuned model to ship: the section `release`."""

    accept_synthetic: bool
    min_questions: int = Field(ge=1)
    min_documents: int = Field(ge=2)
    looks: int = Field(ge=1, le=1000)
    margin: float = Field(ge=0, le=100)

    @property
    def level(self) -> float:
        """The level of one verdict's intervals, for all looks to miss in 5 % (Dunn 1961)."""
        return 1 - (1 - LEVEL) / self.looks


@dataclass(frozen=True)
class Gain:
    """How much better one system is than another: the paired difference of nDCG@10."""

    ours: str
    theirs: str
    mean: float
    error: float  # standard error of the mean
    low: float  # the ends of its interval
    high: float
    level: float  # of the interval

    def __str__(self) -> str:
        verb = "is" if self.low > 0 else "is not"
        return (
            f"{name(self.ours)} {verb} significantly better than {name(self.theirs)}: "
            f"{100 * self.mean:+.1f} points of nDCG@10 ({100 * self.level:.4g} % interval "
            f"{100 * self.low:+.1f} to {100 * self.high:+.1f})"
        )


@dataclass(frozen=True)
class PairedScores:
    """nDCG@10 of the same test queries under all systems that could ship, and SAME_FUSION.

    The systems are those of `argot.evaluation.names`, with vectors as they ship.
    """

    scores: Mapping[str, NDArray[np.float64]]  # by system, each (queries,)
    clusters: NDArray[np.int64]  # the numbers of each query's document groups, as `paired` has them

    @cached_property
    def documents(self) -> float:
        """The effective number of document groups that the queries ask about."""
        return effective_documents(self.clusters)

    def gains(self, ours: str, others: Sequence[str], level: float) -> list[Gain]:
        """The gain of one system over each of the others."""
        differences = [self.scores[ours] - self.scores[theirs] for theirs in others]
        found = paired(np.stack(differences, axis=1), self.clusters, level)
        numbers = np.stack([found.mean, found.error, found.low, found.high], axis=1).tolist()
        return [
            Gain(ours, theirs, mean, error, low, high, level)
            for theirs, (mean, error, low, high) in zip(others, numbers, strict=True)
        ]

    @property
    def documents_asked(self) -> int:
        """How many document groups the queries ask about."""
        return len(np.unique(self.clusters))

    @property
    def of_one_document(self) -> float:
        """The largest share of the queries that ask about one document group."""
        asked = self.clusters.reshape(len(self.clusters), -1).T
        most = max(np.any(asked == group, axis=0).sum() for group in np.unique(asked))
        return float(most / len(self.clusters))


@dataclass(frozen=True)
class Tuning:
    """What tuning adds to the search with all rankers.

    `gains` are over every opponent that it must beat: the base, BM25 and SAME_FUSION.
    """

    gains: Sequence[Gain]
    of_vectors: Gain  # of tuned over base, without other rankers
    margin: float  # release.margin, as nDCG@10

    @property
    def worst(self) -> Gain:
        """The gain with the lowest lower end, which decides for all."""
        return min(self.gains, key=lambda gain: gain.low)

    @property
    def by_margin(self) -> bool:
        """Does it gain nothing significant, but better vectors for no more than `margin`?

        Something that is significantly worse does not pass, however small the loss.
        """
        unharmed = all(gain.high >= 0 for gain in self.gains) and -self.margin < self.worst.low <= 0
        return self.margin > 0 and self.of_vectors.low > 0 and unharmed

    def __str__(self) -> str:
        if not self.by_margin:
            return str(self.worst)
        return (
            f"{self.worst}; it ships by release.margin: {self.of_vectors}, and all rankers "
            f"together are not worse by {100 * self.margin:g} points"
        )


@dataclass(frozen=True)
class Power:
    """What the queries could have proven, and how many more would prove the gain that they show."""

    queries: int
    provable: float  # the smallest gain of nDCG@10 that is proven with 80 % power
    gain: float
    more: int  # 0 where the gain is significant, or is no gain

    @classmethod
    def of(cls, gain: Gain, shown: PairedScores) -> Power:
        """The power of `shown`, and what `gain` lacks.

        The error falls with the root of the number of queries, if the further ones ask about
        further documents in the same proportion.
        """
        queries, least = len(shown.clusters), provable(gain.error, shown.documents, gain.level)
        open_still = queries > 0 and gain.low <= 0 < gain.mean
        more = queries * ((least / gain.mean) ** 2 - 1) if open_still else 0.0
        # Two digits: the estimate is no better than that.
        return cls(queries, least, gain.mean, round(float(f"{more:.2g}")))

    def __str__(self) -> str:
        if self.provable >= 1:
            return "These test queries ask about too few documents to prove any gain"
        text = (
            f"These {self.queries:,} test queries prove a gain of {100 * self.provable:.1f} points "
            "or more in four cases of five (80 % power)"
        )
        if not self.more:
            return text
        shown = f"the {100 * self.gain:.1f} points that they show"
        if self.more > MOST_TIMES * self.queries:
            return f"{text}; {shown} are too small for questions to prove"
        return f"{text}; about {self.more:,} more, on further documents, would prove {shown}"


@dataclass(frozen=True)
class Decision:
    """The verdict, what ships by it, why, what could have been proven, and the numbers."""

    verdict: Verdict
    reason: str
    power: Power
    numbers: dict[str, float]


def decide(
    real: PairedScores,
    synthetic: PairedScores,
    fusions: Mapping[str, Fusion],
    compared: Sides,
    rules: ReleaseSettings,
) -> Decision:
    """What ships, of the systems in `fusions`; with all rankers they are `compared`.

    The tuned model ships only if it is significantly better than the base with the same rankers,
    however both are fused, and than BM25, on real questions. That is, the lower ends of the
    intervals of all paired differences are above zero. To beat every one of several opponents at
    the full level needs no correction (Berger 1982, intersection-union test). With a margin it
    ships too where its vectors alone are significantly better and the whole is not inferior by more
    than the margin. With too few questions the verdict is `unproven`.
    """
    # 1. Real questions decide where there are enough of them.
    shortage = _shortage(real, rules)
    shown = synthetic if shortage and rules.accept_synthetic else real
    decides = not shortage or rules.accept_synthetic
    # 2. The tuned model against all that it must beat.
    base, tuned = (side.partition("+")[0] for side in compared)
    tuning = Tuning(
        shown.gains(compared.ships, [compared.stays, BM25, SAME_FUSION], rules.level),
        shown.gains(tuned, [base], rules.level)[0],
        rules.margin / 100,
    )
    ships = decides and (tuning.worst.low > 0 or tuning.by_margin)
    model: Model = "tuned" if ships else "base"
    # 3. Of the model's systems, the one with all rankers ships, unless one with fewer is
    #    significantly better.
    whole = compared.ships if ships else compared.stays
    system = _unharmed(shown, whole, list(fusions), rules.level) if decides else whole
    # 4. What a team would have without Argot is the better of BM25 and base + BM25.
    today = max([BM25, with_bm25(base)], key=lambda row: float(shown.scores[row].sum()))
    gained = shown.gains(system, [today], rules.level)[0]
    # 5. The reason, and the numbers.
    parts = [str(gained)] if system != today else []
    told = "; ".join(dict.fromkeys([*parts, str(tuning)]))
    reason = f"{told}, on {'real questions' if shown is real else 'synthetic pairs'}"
    if shortage:
        by_pairs = f"{model} ships by release.accept_synthetic, for {reason}"
        reason = f"{shortage}: {by_pairs if rules.accept_synthetic else 'base ships'}"
    verdict: Literal["tuned", "base", "unproven"] = "unproven" if shortage else model
    shipped = Verdict(model=model, verdict=verdict, system=system, fusion=fusions[system])
    power = Power.of(tuning.worst, shown)
    return Decision(shipped, reason, power, _numbers(real, tuning, gained, power, shipped))


def _shortage(real: PairedScores, rules: ReleaseSettings) -> str:
    """What real questions lack to decide; empty if nothing."""
    questions = len(real.clusters)
    if questions < rules.min_questions:
        return f"only {questions} real questions, of at least {rules.min_questions}"
    if real.documents >= rules.min_documents:
        return ""
    return (
        f"the {questions} real questions ask about {real.documents_asked} documents, "
        f"{real.of_one_document:.0%} of them about one, which tells as much as "
        f"{real.documents:.1f} documents with equally many questions each, of at least "
        f"{rules.min_documents}: fewer can't tell a gain from one document's luck"
    )


def _unharmed(shown: PairedScores, whole: str, systems: Sequence[str], level: float) -> str:
    """The system that ships: `whole`, or the best of the simpler ones significantly better.

    Simpler are BM25 and the systems of the same model with fewer rankers.
    """
    fewer = [row for row in systems if row == BM25 or (whole.startswith(row) and row != whole)]
    better = [gain.theirs for gain in shown.gains(whole, fewer, level) if gain.high < 0]
    return max(better, key=lambda row: float(shown.scores[row].sum()), default=whole)


def _numbers(
    real: PairedScores, tuning: Tuning, gained: Gain, power: Power, shipped: Verdict
) -> dict[str, float]:
    """The figures of the verdict: all finite, nDCG@10 as it is and not in points."""
    return {
        "questions": len(real.clusters),
        "documents": real.documents_asked,
        "effective_documents": real.documents,
        "gain": tuning.worst.mean,
        "low": tuning.worst.low,
        "high": tuning.worst.high,
        "over_base": tuning.gains[0].mean,
        "over_bm25": tuning.gains[1].mean,
        "over_today": gained.mean,
        "over_today_low": gained.low,
        "over_today_high": gained.high,
        "provable": power.provable,
        "more_questions": power.more,
        "ships_tuned": int(shipped.model == "tuned"),
        **{f"weight_{ranker}": weight for ranker, weight in shipped.fusion.weights.items()},
    }
