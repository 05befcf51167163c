"""Which passages answer a query, and which documents were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from argot.core.parquet import write_table
from argot.errors import InputError
from argot.evaluation.judged import JudgedCorpus, read_pairs, read_questions
from argot.tables import chunks, pairs, questions

TEXTS = ["oil the pump", "close the valve", "oil the pump", "log the hours"]


def chunk_row(at: int) -> dict[str, Any]:
    place = {
        "document": f"d{at}.md",
        "group": f"d{at // 2 * 2}.md",
        "position": 0,
        "start": 0,
        "end": 9,
    }
    return {
        "chunk": f"c{at}",
        **place,
        "title": "",
        "heading": "Care",
        "text": TEXTS[at],
        "language": "en",
        "metadata": "{}",
    }


def pair_row(name: str, query: str, chunk: str) -> dict[str, Any]:
    texts = dict.fromkeys(("provider", "model", "prompt", "reply"), "")
    place = {"document": "d", "start": 0, "end": 1}
    return {
        "pair": name,
        "query": query,
        "chunk": chunk,
        "source": "sentence",
        "trusted": False,
        **place,
        **texts,
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_table(chunks.PATH, [chunk_row(at) for at in range(4)], chunks.SCHEMA)
    write_table(pairs.PATHS["train"], [pair_row("t", "hours?", "c3")], pairs.SCHEMA)
    return tmp_path


def relevant(queries: Any, at: int) -> list[int]:
    return queries.relevance.items[
        queries.relevance.offsets[at] : queries.relevance.offsets[at + 1]
    ].tolist()


def test_a_pair_is_answered_by_copies_and_by_passages_of_the_same_query(folder: Path) -> None:
    rows = [
        pair_row("a", "which pump?", "c0"),
        pair_row("b", "care", "c1"),
        pair_row("c", "care", "c3"),
    ]
    write_table(pairs.PATHS["test"], rows, pairs.SCHEMA)
    found = read_pairs("test", JudgedCorpus())
    assert [relevant(found, at) for at in range(3)] == [[0, 2], [1, 3], [1, 3]]


def test_seen_is_what_stands_in_the_group_of_a_training_pair(folder: Path) -> None:
    """c0 is of another document, but its text stands in the trained one too."""
    names = {"c0": True, "c1": False, "c2": True, "c3": True}
    rows = [pair_row(chunk, f"about {chunk}", chunk) for chunk in names]
    write_table(pairs.PATHS["test"], rows, pairs.SCHEMA)
    assert read_pairs("test", JudgedCorpus()).seen.tolist() == list(names.values())


def question_row(name: str, *ids: str) -> dict[str, Any]:
    texts = {"query": "?", "kind": "", "cluster": "d0.md", "source": ""}
    return {"question": name, "documents": ["d0.md"], "chunks": list(ids), **texts}


def test_a_question_belongs_to_every_group_that_answers_it(folder: Path) -> None:
    """Near-duplicates are one group: c0 and c1 are of the first, c2 and c3 of the second."""
    rows = [question_row("a", "c1", "c0"), question_row("b", "c3"), question_row("c", "c2", "c1")]
    write_table(questions.PATHS["test"], rows, questions.SCHEMA)
    asked = read_questions("test", JudgedCorpus())
    assert [set(row) for row in asked.documents.tolist()] == [{0}, {1}, {0, 1}]
    # The order of the judgments is of no consequence.
    write_table(questions.PATHS["dev"], [question_row("c", "c1", "c2")], questions.SCHEMA)
    assert set(read_questions("dev", JudgedCorpus()).documents[0].tolist()) == {0, 1}


def test_a_chunk_of_another_corpus_is_refused(folder: Path) -> None:
    write_table(questions.PATHS["test"], [question_row("q", "c9")], questions.SCHEMA)
    with pytest.raises(InputError, match="holds no chunk 'c9'"):
        read_questions("test", JudgedCorpus())
