"""Drift: do users now ask other questions than those that the release was tested on?

Three numbers describe each question: its length, the share of its words that no document contains,
and the score of its best passage. For each number, the questions of users and the test questions
are compared as two samples (two-sample Kolmogorov-Smirnov test, Holm's correction).

Drift is a difference that is significant and large. Significance alone is not enough: with
thousands of questions every small difference is significant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argot.core.parquet import read_table
from argot.documents.words import count_words
from argot.errors import InputError
from argot.search.retriever import Retriever
from argot.search.rights import ALL
from argot.tables import pairs, questions

LEVEL = 0.01  # significance level: the chance of a false alarm, over all three tests together
LARGE = 0.2  # smallest Kolmogorov-Smirnov distance, in [0, 1], that counts as drift
FEW = 50  # fewest questions that a sample may have
MOST = 2_000  # only the newest questions are compared
LABEL = "label some of the new questions (`argot label`) and run `dvc repro`"
EASIER = f"users' questions are easier than those of the test; {LABEL}, to measure theirs"
# What to do where a number has risen, and where it has fallen.
ADVICE = {
    "length": (f"questions are longer; {LABEL}", f"questions are shorter; {LABEL}"),
    "unknown words": ("add documents that hold these words, then run `dvc repro`", EASIER),
    "best score": (EASIER, f"{LABEL}; where no passage answers them, add documents"),
}


@dataclass(frozen=True)
class SampleDifference:
    """One number compared: its means, the Kolmogorov-Smirnov distance, and the p-value."""

    name: str
    before: float
    now: float
    distance: float
    p: float  # corrected for three tests (Holm 1979)

    @property
    def drifted(self) -> bool:
        """Is the difference significant, and large?"""
        return self.p < LEVEL and self.distance >= LARGE

    @property
    def advice(self) -> str:
        """What a person can do about this kind of drift."""
        risen, fallen = ADVICE[self.name]
        return risen if self.now > self.before else fallen


def compare_samples(
    before: Mapping[str, NDArray[np.float64]], now: Mapping[str, NDArray[np.float64]]
) -> list[SampleDifference]:
    """Compare two samples of questions, each as `describe_queries` returns it.

    Raises InputError where a sample is too small to tell drift from chance.
    """
    from scipy.stats import ks_2samp

    for sample, what in ((before, "the release was tested on"), (now, "users asked")):
        count = len(next(iter(sample.values())))
        if count < FEW:
            raise InputError(
                f"{what} {count} questions; at least {FEW} are needed to tell drift from chance"
            )
    tests = {name: ks_2samp(before[name], now[name], method="asymp") for name in before}
    corrected = holm([float(test.pvalue) for test in tests.values()])
    found = []
    for (name, test), p in zip(tests.items(), corrected, strict=True):
        means = float(before[name].mean()), float(now[name].mean())
        found.append(SampleDifference(name, *means, float(test.statistic), p))
    return found


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for multiple tests (Holm 1979).

    The smallest of n p-values is multiplied by n, the second smallest by n - 1, and so on; none
    may become smaller than the one before it, or larger than 1.
    """
    order = np.argsort(values)
    scaled = np.asarray(values)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(value) for value in corrected]


def describe_queries(
    retriever: Retriever, queries: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Length in words, share of unknown terms, and score of the best passage, of each query.

    The score is the dense one where the release searches by its model: a hybrid score is scaled
    within its query, so it cannot be compared between queries.
    """
    mode: str = "bm25" if retriever.manifest.verdict.mode == "bm25" else "dense"
    found = retriever.search_many(queries, 1, mode, groups=ALL)
    return {
        "length": np.array([count_words(query) for query in queries], dtype=np.float64),
        "unknown words": np.array([unknown_share(retriever, query) for query in queries]),
        "best score": np.array([best[0].score if best else 0.0 for best in found], np.float64),
    }


def unknown_share(retriever: Retriever, query: str) -> float:
    """The share of the query's terms that no passage contains, in [0, 1]."""
    terms = retriever.bm25.words.of(query)
    known: Any = retriever.bm25.index.vocab_dict
    return sum(term not in known for term in terms) / max(1, len(terms))


def tested_on() -> list[str]:
    """The queries that the release was tested on: real, or synthetic where there are too few."""
    for table in (questions, pairs):
        asked: list[str] = read_table(table.PATHS["test"], table.SCHEMA, ["query"])[
            "query"
        ].to_pylist()
        if len(asked) >= FEW:
            return list(dict.fromkeys(asked))
    return asked
