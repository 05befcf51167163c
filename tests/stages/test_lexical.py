from __future__ import annotations

import json
from pathlib import Path

import pytest

from argot.core.parquet import read_table, write_table
from argot.errors import InputError
from argot.ranking.bm25 import LEXICAL, Bm25, Words
from argot.tables import chunks
from argot.tables.chunks import Corpus
from stages import lexical
from tools.tiny.release import make_inputs


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_inputs(tmp_path)
    lexical.main()
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rewrite(**changes: list[str]) -> None:
    table = read_table(chunks.PATH, chunks.SCHEMA)
    rows = table.to_pylist()
    for name, values in changes.items():
        for row, value in zip(rows, values, strict=False):
            row[name] = value
    write_table(chunks.PATH, rows, chunks.SCHEMA)


def test_the_index_finds_the_passage_that_holds_the_words(project: Path) -> None:
    corpus = Corpus()
    hits = Bm25.stored(corpus.ids).search(["a rotor is stuck"], 3)
    assert "rotor" in corpus.texts[hits.positions[0, 0]]


def test_the_same_passages_give_the_same_bytes(project: Path) -> None:
    before = content(LEXICAL)
    lexical.main()
    assert content(LEXICAL) == before


def test_the_language_is_that_of_most_passages_and_of_two_the_first_by_name(project: Path) -> None:
    rewrite(language=["fr", "de"] * 4)
    assert lexical.main().endswith("language de")
    found = json.loads(Path("data/figures/lexical.json").read_text())
    assert (found["language"], found["passages"]) == ("de", 8)
    words = Words("de")
    terms = (set(words.of(text)) for text in Corpus().passages)
    assert found["words"] == len(set().union(*terms))


def test_an_index_of_other_passages_is_refused(project: Path) -> None:
    rewrite(chunk=["changed"])
    with pytest.raises(InputError, match="indexes other passages"):
        Bm25.stored(Corpus().ids)


def test_below_another_home_the_passages_there_are_indexed(project: Path) -> None:
    home = project / "refresh"
    table = read_table(chunks.PATH, chunks.SCHEMA)
    write_table(home / chunks.PATH, table.slice(0, 3), chunks.SCHEMA)
    lexical.main(home)
    assert len(Bm25.load(home / LEXICAL).ids) == 3
    assert len(Bm25.load(LEXICAL).ids) == 8
