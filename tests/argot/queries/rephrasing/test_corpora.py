"""The rules over small corpora of invented companies: German, French and Spanish."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from argot.documents.formats.markup import read_markdown
from argot.documents.spans import Text
from argot.queries.prose import sentences
from argot.queries.rephrasing import GRAMMARS
from argot.ranking.bm25 import Bm25, LexicalSettings, without_accents
from argot.tables.chunks import passage
from stages.chunk import ChunkSettings, cut
from stages.ingest import set_languages

CORPORA = Path(__file__).parents[3] / "corpora"
WHOLE = ChunkSettings(max_words=128, overlap_words=0, min_words=5)
ENGLISH = {"the", "what", "how", "about", "need", "many", "is", "are", "can", "should"}


def texts(name: str) -> dict[str, str]:
    files = sorted((CORPORA / name / "raw").glob("*.md"))
    return {file.name: read_markdown(file.read_bytes()).text for file in files}


def asked(language: str, text: str) -> list[str]:
    grammar, found = GRAMMARS[language], sentences(text, language)
    return [query for one in found for query in grammar.of_statement(one.text, Random(1))]


def passages(language: str, name: str, text: str) -> list[tuple[str, str]]:
    """The document and the text, under its headings, of each passage."""
    found, _ = cut(Text(text, language), "", WHOLE)
    spans = [(" > ".join(chunk.path), text[chunk.span.start : chunk.span.end]) for chunk in found]
    return [(name, passage(heading, own)) for heading, own in spans]


def questions(name: str) -> list[dict[str, Any]]:
    lines = (CORPORA / name / "queries/questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("name", "language"), [("german", "de"), ("french", "fr"), ("spanish", "es")]
)
def test_most_passages_are_asked_for_in_their_own_language(name: str, language: str) -> None:
    rows = [{"text": text} for text in texts(name).values()]
    set_languages(rows, "auto")
    assert {row["language"] for row in rows} == {language}
    held = [text for one in texts(name).items() for _, text in passages(language, *one)]
    queries = [asked(language, text.partition("\n")[2]) for text in held]
    assert sum(map(bool, queries)) / len(held) > 0.9
    words = {word for several in queries for query in several for word in query.lower().split()}
    assert not words & ENGLISH


@pytest.mark.parametrize(
    ("name", "language", "answered"),
    [("german", "de", 13), ("french", "fr", 12), ("spanish", "es", 16)],
)
def test_words_find_as_much_without_accents(name: str, language: str, answered: int) -> None:
    held = [chunk for text in texts(name).items() for chunk in passages(language, *text)]
    settings = LexicalSettings(language="auto", k1=1.2, b=0.75)
    ids = [f"{place:02d}" for place in range(len(held))]
    bm25 = Bm25.build(ids, [text for _, text in held], settings, language)

    def answers(query: str, relevant: list[dict[str, str]]) -> bool:
        document, text = held[bm25.search([query], 1).positions[0, 0]]
        return any(one["document"] == document and one["quote"] in text for one in relevant)

    asked = questions(name)
    for typed in (str, without_accents):
        found = [answers(typed(line["query"]), line["relevant"]) for line in asked]
        assert sum(found) == answered


@pytest.mark.parametrize("name", ["german", "french", "spanish"])
def test_every_quote_is_in_its_document(name: str) -> None:
    documents = texts(name)
    lines = questions(name)
    assert len(lines) == 20
    for line in lines:
        for answer in line["relevant"]:
            assert answer["quote"] in documents[answer["document"]]
