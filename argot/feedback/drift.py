"""Do users ask other things now than the release was proven on?

Three things about each question: how long it is, how many of its words no document holds, and how well the best passage
fits it. For each, what users ask and what the release was tested on are compared as two samples (Kolmogorov-Smirnov).
Drift is a difference that chance doesn't explain and that is large: with thousands of questions, chance explains
nothing, and every trifle would call for a retraining.
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
from argot.search.fusion import Mode
from argot.search.retriever import Retriever
from argot.tables import pairs, questions

LEVEL = 0.01  # chance of a false alarm, over all three together
LARGE = 0.2  # the least distance between two distributions that counts, in [0, 1]
FEW = 50  # questions a sample must have, at the least
MOST = 2_000  # the newest questions that are looked at
ADVICE = {
    "length": "label some of the new questions (`argot label`) and run `dvc repro`",
    "unknown words": "add documents that hold these words, then run `dvc repro`",
    "best score": "label some of the new questions (`argot label`): documents may be missing, or training",
}


@dataclass(frozen=True)
class Difference:
    """One thing that was compared: means before and now, the largest distance of the distributions, and its p-value."""

    name: str
    before: float
    now: float
    distance: float
    p: float  # corrected for several comparisons (Holm 1979)

    @property
    def drifted(self) -> bool:
        """Is it neither chance nor a trifle?"""
        return self.p < LEVEL and self.distance >= LARGE

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.name]


def compare(
    before: Mapping[str, NDArray[np.float64]], now: Mapping[str, NDArray[np.float64]]
) -> list[Difference]:
    """The differences between two samples of questions, as `describe` gives them; InputError where one is too small."""
    from scipy.stats import ks_2samp

    for sample, what in ((before, "the release was proven on"), (now, "users asked")):
        count = len(next(iter(sample.values())))
        if count < FEW:
            raise InputError(
                f"{what} {count} questions; to tell drift from chance takes at least {FEW}"
            )
    tests = {name: ks_2samp(before[name], now[name], method="asymp") for name in before}
    corrected = holm([float(test.pvalue) for test in tests.values()])
    return [
        Difference(
            name, float(before[name].mean()), float(now[name].mean()), float(test.statistic), p
        )
        for (name, test), p in zip(tests.items(), corrected, strict=True)
    ]


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for being several (Holm 1979)."""
    order = np.argsort(values)
    scaled = np.asarray(values)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(value) for value in corrected]


def describe(retriever: Retriever, queries: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Length in words, share of terms that no passage holds, and the best passage's score, of each question.

    The score is the model's, where the release has one: a fused score is scaled within its question, and tells nothing.
    """
    mode: Mode = "bm25" if retriever.manifest.verdict.mode == "bm25" else "dense"
    found = retriever.search_many(queries, 1, mode)
    return {
        "length": np.array([count_words(query) for query in queries], dtype=np.float64),
        "unknown words": np.array([unknown(retriever, query) for query in queries]),
        "best score": np.array(
            [ones[0].score if ones else 0.0 for ones in found], dtype=np.float64
        ),
    }


def unknown(retriever: Retriever, query: str) -> float:
    """The share of the query's terms that no passage holds, in [0, 1]."""
    terms = retriever.bm25.words.of(query)
    known: Any = retriever.bm25.index.vocab_dict
    return sum(term not in known for term in terms) / max(1, len(terms))


def proven_on() -> list[str]:
    """The questions that the release was tested on: real ones, or synthetic ones where those are too few."""
    for table in (questions, pairs):
        asked: list[str] = read_table(table.PATHS["test"], table.SCHEMA, ["query"])[
            "query"
        ].to_pylist()
        if len(asked) >= FEW:
            return list(dict.fromkeys(asked))
    return asked
