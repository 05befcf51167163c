"""Test questions that repeat a training query in other words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from argot.core.parquet import write_table
from argot.encoding.store.vectors import Vectors, key
from argot.evaluation.judged import Queries
from argot.evaluation.metrics import Relevance
from argot.evaluation.repeated import repeats
from argot.evaluation.systems import VectorModel
from argot.tables import pairs

VECTORS = {
    "who pays when the box is late?": (1.0, 0.0, 0.0),
    "a box comes back late, who pays?": (0.9, np.sqrt(1 - 0.81), 0.0),
    "how do I pay?": (0.5, 0.0, np.sqrt(0.75)),
}
ASKED = list(VECTORS)[1:]


def queries(texts: list[str]) -> Queries:
    other = dict.fromkeys(Queries.__dataclass_fields__, np.zeros(len(texts)))
    relevance = Relevance.of([[0]] * len(texts))
    own = {"set": "questions", "ids": texts, "texts": texts, "relevance": relevance}
    return Queries(**{**other, **own})  # type: ignore[arg-type]


@pytest.mark.parametrize(("trained", "expected"), [(True, [True, False]), (False, [False, False])])
def test_a_question_repeats_a_training_query_that_means_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: bool, expected: list[bool]
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = dict.fromkeys(pairs.SCHEMA.names, "")
    row = {**texts, "query": next(iter(VECTORS)), "trusted": True, "start": 0, "end": 1}
    write_table(pairs.PATHS["train"], [row] if trained else [], pairs.SCHEMA)
    values = np.array(list(VECTORS.values()), np.float32)
    base = VectorModel("base", lambda kind: Vectors([key(text) for text in VECTORS], values))
    assert repeats(queries(ASKED), base).tolist() == expected
    assert repeats(queries([]), base).tolist() == []
