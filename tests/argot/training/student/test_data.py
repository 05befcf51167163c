from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from argot.core.parquet import write_table
from argot.errors import InputError
from argot.tables import chunks, pairs, questions, training
from argot.tables.chunks import Corpus
from argot.training.student.data import TrainingData, read_dev, read_training_data

ROWS = [
    {"pair": "a", "query": "one", "positive": "c1", "score": 0.9, "candidates": ["c3", "c0"], "scores": [0.8, 0.2],
     "masked": [True, False]},
    {"pair": "b", "query": "two", "positive": "c3", "score": 0.7, "candidates": ["c2", "c1"], "scores": [0.6, 0.5],
     "masked": [False, False]},
    {"pair": "c", "query": "three", "positive": "c1", "score": 0.5, "candidates": ["c0", "c2"], "scores": [0.4, 0.3],
     "masked": [False, False]},
]  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    blank = {
        "document": "d",
        "group": "g",
        "title": "",
        "start": 0,
        "end": 1,
        "language": "en",
        "metadata": "{}",
    }
    rows = [
        {**blank, "chunk": f"c{n}", "position": n, "heading": f"on {n}", "text": f"text {n}"}
        for n in range(5)
    ]
    write_table(chunks.PATH, rows, chunks.SCHEMA)
    write_table(questions.PATHS["dev"], [], questions.SCHEMA)
    write_dev([("p1", "what", "c2"), ("p0", "where", "c4")])
    return tmp_path


def lesson(rows: list[dict[str, Any]] = ROWS) -> TrainingData:
    write_table(
        training.PATH,
        [{"source": "keywords", "trusted": False, **row} for row in rows],
        training.SCHEMA,
    )
    return read_training_data(Corpus())


def write_dev(rows: list[tuple[str, str, str]]) -> None:
    empty = {field.name: "" for field in pairs.SCHEMA} | {"trusted": False, "start": 0, "end": 1}
    made = [{**empty, "pair": pair, "query": query, "chunk": chunk} for pair, query, chunk in rows]
    write_table(pairs.PATHS["dev"], made, pairs.SCHEMA)


def test_the_teachers_table_holds_scores_masks_and_nothing_for_the_unknown(project: Path) -> None:
    scores, masked = lesson().teacher.table(np.array([1, 0]), np.array([3, 1, 0, 4]))
    assert scores == pytest.approx(np.array([[0.7, 0.5, 0, 0], [0.8, 0.9, 0.2, 0]]), abs=1e-6)
    assert masked.tolist() == [[False] * 4, [True, False, False, False]]


def test_another_answer_to_a_trusted_query_is_no_negative(project: Path) -> None:
    """c3 answers "one" too; the untrusted row of the same query says nothing."""
    asked = {**ROWS[1], "query": "one"}
    rows = [{**ROWS[0], "trusted": True}, {**asked, "trusted": True}, {**ROWS[2], "query": "one"}]
    masked = lesson(rows).teacher.table(np.array([0, 1, 2]), np.array([1, 3, 4]))[1]
    assert masked.tolist() == [[False, True, False], [True, False, False], [False] * 3]
    open_ = lesson([ROWS[0], asked]).teacher.table(np.array([1]), np.array([1]))[1]
    assert not open_.any()


def test_rivals_of_a_passage_are_what_its_queries_find_besides(project: Path) -> None:
    rivals = [found.tolist() for found in lesson().rivals]
    assert rivals == [[], [3, 0, 2], [], [2, 1], []]  # c1: c3 by 0.8, c0 by 0.2 + 0.4, c2 by 0.3


def test_queries_keep_their_passages(project: Path) -> None:
    found = lesson()
    assert found.own.tolist() == [1, 3, 1]


def test_rows_of_other_chunks_are_refused(project: Path) -> None:
    with pytest.raises(InputError, match=r"training\.parquet names a passage"):
        lesson([{**ROWS[0], "candidates": ["gone", "c0"]}])


def test_no_row_is_told(project: Path) -> None:
    with pytest.raises(InputError, match="no row to train on"):
        lesson([])


def test_dev_holds_all_that_is_relevant_and_fills_up_with_others(project: Path) -> None:
    dev = read_dev(Corpus(), queries=2, passages=3, min_questions=5)
    assert (dev.queries, dev.ids, dev.real) == (["where", "what"], ["c2", "c4", "c0"], False)
    assert [dev.ids[item] for item in dev.relevance.items] == ["c4", "c2"]
    assert dev.passages[0] == "on 2\ntext 2"


def test_dev_may_be_empty(project: Path) -> None:
    write_dev([])
    assert read_dev(Corpus(), queries=2, passages=3, min_questions=5).queries == []
