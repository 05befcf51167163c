from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from argot import params
from argot.embedder import Embedder
from argot.tables import chunks, pairs, questions
from argot.tables.parquet import write_table
from argot.vectors import read_vectors
from stages import embed
from tests.tiny_model import make_tiny_model

CHUNKS = [("Returns", "damaged pumps go back"), ("", "an invoice is kept"), ("Returns", "damaged pumps go back")]
QUERIES = {
    "train": ["how to return a pump"],
    "dev": ["keep the invoice"],
    "test": ["how to return a pump", "refund " * 80],
}


def row(table: object, **known: object) -> dict[str, object]:
    """A row of a table, with a default for what the test doesn't care about."""
    blank = {"string": "", "int32": 0, "int64": 0, "bool": False, "list<item: string>": []}
    return {field.name: known.get(field.name, blank.get(str(field.type), [])) for field in table.SCHEMA}  # type: ignore[attr-defined]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    params._read.cache_clear()
    Path("params.yaml").write_text("machine:\n  device: cpu\n  other:\n    workers: 2\n")
    make_tiny_model(
        Path("models/base"), [text for pair in CHUNKS for text in pair], {"query": "query: ", "document": ""}
    )
    rows = [row(chunks, chunk=str(n), heading=heading, text=text) for n, (heading, text) in enumerate(CHUNKS)]
    write_table(chunks.PATH, rows, chunks.SCHEMA)
    for module in (pairs, questions):
        for split, path in module.PATHS.items():
            write_table(path, [row(module, query=query) for query in QUERIES[split]], module.SCHEMA)
    return tmp_path


def test_passages_are_found_by_heading_and_text(project: Path) -> None:
    assert "2 texts" in embed.main("base", "passages")
    stored = read_vectors(Path("data/embeddings/base/passages"))
    texts = ["Returns\ndamaged pumps go back", "an invoice is kept"]
    assert np.array_equal(stored.of(texts), Embedder.load(Path("models/base"), "cpu").encode_passages(texts))


@pytest.mark.parametrize("kind", ["pairs", "questions"])
def test_queries_of_all_splits_are_embedded_once_as_queries(project: Path, kind: str) -> None:
    embed.main("base", kind)
    stored = read_vectors(Path("data/embeddings/base") / kind)
    texts = ["how to return a pump", "keep the invoice", "refund " * 80]
    assert len(stored.keys) == 3
    assert np.array_equal(stored.of(texts), Embedder.load(Path("models/base"), "cpu").encode_queries(texts))


def test_texts_that_the_window_cuts_are_counted(project: Path) -> None:
    embed.main("base", "questions")
    assert json.loads(Path("data/figures/embed-base-questions.json").read_text()) == {
        "texts": 3,
        "cut": 1,
        "dimension": 32,
    }


def test_no_questions_give_an_empty_store(project: Path) -> None:
    for path in questions.PATHS.values():
        write_table(path, [], questions.SCHEMA)
    embed.main("base", "questions")
    assert read_vectors(Path("data/embeddings/base/questions")).of([]).shape == (0, 32)


def test_the_same_inputs_give_the_same_bytes(project: Path) -> None:
    embed.main("base", "passages")
    folder = Path("data/embeddings/base/passages")
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    embed.main("base", "passages")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
