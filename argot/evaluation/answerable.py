"""Does the search know when nothing answers? Its probabilities, fitted on dev, measured on test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argot.core.parquet import read_table
from argot.evaluation.judged import JudgedCorpus, Queries
from argot.evaluation.systems import Found, System, VectorModel, search
from argot.ranking.bm25 import Bm25
from argot.ranking.hits import MISSING, Hits
from argot.ranking.probability import Calibration, columns, fit
from argot.tables import questions

# Passages of each query that are fitted and measured: those that a search shows.
SHOWN = 10
# Of the dev queries this share is told wrongly that nothing fits.
FALSE_ALARMS = 0.05
# Passages are sorted by their probability into so many parts of equal size.
PARTS = 10
Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Unanswered:
    """Real questions that no document answers, and their kinds."""

    texts: list[str]
    kinds: list[str]
    set: str = "questions"

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def read(cls) -> Unanswered:
        """Those of the stage `questions`."""
        table = read_table(questions.PATHS[questions.UNANSWERED], questions.SCHEMA).to_pydict()
        return cls(table["query"], table["kind"])


def calibrated(
    sets: Sequence[Queries],
    found: Sequence[Found],
    system: System,
    models: Sequence[VectorModel],
    bm25: Bm25,
    corpus: JudgedCorpus,
) -> tuple[Calibration | None, dict[str, Any]]:
    """A system's calibration, fitted on the first of two `sets` and measured on the second.

    `found` is what the rankers found for each set; of the `models`, one is the system's, or none
    where that is BM25 alone. None, and no figures, where there is no dev query.
    """
    dev, test = sets
    if not len(dev):
        return None, {}
    on_dev, on_test = (system.rank(one, SHOWN, corpus.ties) for one in found)
    fitted = calibrate(dev, on_dev, found[0][system.name], system)
    answered = fitted.of(on_test, found[1][system.name])
    asked = Unanswered.read()
    own = [one for one in models if (one.model, one.dim) == (system.model, system.dim)]
    without = search([asked], corpus, bm25, own)[0]
    unanswered = fitted.of(system.rank(without, SHOWN, corpus.ties), without[system.name])
    answers = test.relevance.found(on_test.positions)
    return fitted, figures(answered, answers, unanswered, asked.kinds, fitted.least)


def calibrate(dev: Queries, best: Hits, found: Mapping[str, Hits], system: System) -> Calibration:
    """The calibration of a system, from what it ranked `best` for dev queries.

    All of these are about documents that are there: the probability is that of a passage for a
    question that some document answers.
    """
    rankers = system.fusion.rankers
    values = columns(best, found, rankers)
    answers = dev.relevance.found(best.positions)
    there = best.positions != MISSING
    intercept, weights = fit(values[there], answers[there])
    *scores, rank = weights.round(6).tolist()
    fitted = Calibration(
        intercept=round(intercept, 6),
        scores=dict(zip(rankers, scores, strict=True)),
        rank=rank,
        least=0.0,
        source="questions" if dev.set == "questions" else "pairs",
    )
    least = float(np.quantile(fitted.of(best, found).max(axis=1, initial=0.0), FALSE_ALARMS))
    return fitted.model_copy(update={"least": round(least, 6)})


def figures(
    answered: Probabilities,
    answers: NDArray[np.bool_],
    unanswered: Probabilities,
    kinds: Sequence[str],
    least: float,
) -> dict[str, Any]:
    """How far probabilities can be trusted: those of the best passages of two sets of questions.

    All arrays are (queries, k); `answers` says which passages answer, and `kinds` are those of the
    questions that nothing answers.
    """
    measured: dict[str, Any] = {"unanswered": len(unanswered), "least": least}
    if not len(answered):
        return measured
    high, low = (one.max(axis=1, initial=0.0) for one in (answered, unanswered))
    measured["error"] = error(answered.ravel(), answers.ravel())
    measured["nothing_fits"] = {"answered": (high < least).mean()}
    if len(low):
        names = np.array([kind or "unmarked" for kind in kinds], dtype=object)
        measured["nothing_fits"]["unanswered"] = (low < least).mean()
        measured["auc"] = auc(high, low)
        measured["auc_by_kind"] = {name: auc(high, low[names == name]) for name in set(names)}
    return measured


def error(probabilities: Probabilities, answers: NDArray[np.bool_]) -> float:
    """The expected calibration error over parts of equal size (Naeini et al. 2015).

    How far, on average, a probability is from the share of such passages that answer.
    """
    order = np.argsort(probabilities, kind="stable")
    gaps = [
        len(part) * abs(probabilities[part].mean() - answers[part].mean())
        for part in np.array_split(order, min(PARTS, len(order)))
    ]
    return float(sum(gaps) / len(order))


def auc(high: Probabilities, low: Probabilities) -> float:
    """The probability that one of `high` is above one of `low`, where ties count half.

    It is the area under the ROC curve (Hanley and McNeil 1982).
    """
    ordered = np.sort(low)
    below, up_to = (np.searchsorted(ordered, high, side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(low)))
