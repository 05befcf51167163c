"""The rules over two small corpora of invented companies, one German and one French."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from argot.documents.formats.markup import read_markdown
from argot.documents.spans import Text
from argot.queries.prose import sentences
from argot.queries.rephrasing import GRAMMARS
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


@pytest.mark.parametrize(("name", "language"), [("german", "de"), ("french", "fr")])
def test_most_passages_are_asked_for_in_their_own_language(name: str, language: str) -> None:
    rows = [{"text": text} for text in texts(name).values()]
    set_languages(rows, "auto")
    assert {row["language"] for row in rows} == {language}
    passages = []
    for text in texts(name).values():
        found, _ = cut(Text(text, language), "", WHOLE)
        passages += [text[chunk.span.start : chunk.span.end] for chunk in found]
    queries = [asked(language, passage) for passage in passages]
    assert sum(map(bool, queries)) / len(passages) > 0.9
    words = {word for several in queries for query in several for word in query.lower().split()}
    assert not words & ENGLISH


@pytest.mark.parametrize("name", ["german", "french"])
def test_every_quote_is_in_its_document(name: str) -> None:
    documents = texts(name)
    lines = (CORPORA / name / "queries/questions.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 20
    for line in lines:
        for answer in json.loads(line)["relevant"]:
            assert answer["quote"] in documents[answer["document"]]
