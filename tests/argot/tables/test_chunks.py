"""The corpus as all stages read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from argot.core.parquet import write_table
from argot.errors import InputError
from argot.tables.chunks import (
    SCHEMA,
    Corpus,
    commonest,
    location,
    numbered,
    page_name,
    passage,
)


def row(at: int, **changes: Any) -> dict[str, Any]:
    named = {"chunk": f"c{at}", "document": f"d{at % 2}.md", "group": f"d{at % 2}.md", "title": "T"}
    said = {"heading": "A > B", "text": f"text {at}", "language": "en", "metadata": "{}"}
    return {**named, **said, "position": at, "start": 10 * at, "end": 10 * at + 6, **changes}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    path = tmp_path / "chunks.parquet"
    write_table(path, [row(2, heading=""), row(1), row(0, language="de")], SCHEMA)
    return Corpus(path)


def test_columns_keep_the_order_of_the_table(corpus: Corpus) -> None:
    assert corpus.ids == ["c2", "c1", "c0"]
    assert corpus.passages == ["text 2", "A > B\ntext 1", "A > B\ntext 0"]
    assert (corpus.places_of(["c0", "c2"]), corpus.language) == ([2, 0], "en")
    assert corpus.numbered("document").tolist() == [0, 1, 0]


def test_rows_hold_what_queries_are_made_from(corpus: Corpus) -> None:
    first, second, _ = corpus.rows()
    assert (second.id, second.document, second.start, second.leaf) == ("c1", "d1.md", 10, "B")
    assert [chunk.passage for chunk in (first, second)] == corpus.passages[:2]


def test_a_table_made_before_there_were_pages_has_none(corpus: Corpus) -> None:
    before = corpus.table().drop_columns("page")
    write_table(corpus.path, before, before.schema)
    assert corpus.table().schema == SCHEMA
    assert corpus.table(["page", "chunk"])["page"].to_pylist() == [None] * 3
    assert corpus.table(["chunk"]).column_names == ["chunk"]
    assert corpus.ids == ["c2", "c1", "c0"]


def test_a_chunk_of_another_corpus_is_named(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="holds no chunk 'c9'"):
        corpus.places_of(["c1", "c9"])


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"chunks\.parquet is missing; run `dvc repro`"):
        print(Corpus(tmp_path / "chunks.parquet").ids)


def test_of_equally_common_languages_the_first_by_name_is_the_corpus_language() -> None:
    assert commonest(["fr", "de", "fr", "de", "nl"]) == "de"
    assert commonest(["fr", "de", "fr"]) == "fr"
    assert commonest([]) == ""


def test_names_are_numbered_in_their_order() -> None:
    assert numbered(["b", "a", "b"]).tolist() == [1, 0, 1]


def test_a_passage_without_heading_is_its_text() -> None:
    assert (passage("", "text"), passage("A", "text")) == ("text", "A\ntext")


@pytest.mark.parametrize(
    ("document", "page", "expected"),
    [
        ("a/pumps.pdf", 3, "page 3"),
        ("a/pumps.PPTX", 3, "slide 3"),
        ("a/show.ppsx", 3, "slide 3"),
        ("a/pumps.odp", 3, "slide 3"),
        ("a/pptx.md", None, ""),
    ],
)
def test_a_page_of_a_deck_is_a_slide(document: str, page: int | None, expected: str) -> None:
    assert page_name(document, page) == expected


def test_a_passage_is_located_in_one_line() -> None:
    assert location("a.pdf", "Pumps > Noise", "page 3") == "a.pdf › Pumps > Noise, page 3"
    assert location("a.md", "", "") == "a.md"
