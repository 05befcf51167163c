"""A folder as BEIR has it: corpus.jsonl, queries.jsonl and qrels/*.tsv (arXiv 2104.08663).

qrels/test.tsv is refused: what a benchmark tests must not be trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from argot.queries.brought.pair import BroughtPair
from argot.queries.brought.rows import Row, RowForm, checked, read_rows
from argot.queries.refusals import Refusals, Refused

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"


class Text(RowForm):
    """A line of corpus.jsonl or queries.jsonl."""

    id: str = Field(alias="_id")
    text: str
    title: str | None = None
    metadata: dict[str, Any] | None = None


class Judgment(RowForm):
    """A line of qrels/*.tsv; a score of 0 is a passage that is not relevant."""

    model_config = ConfigDict(strict=False)
    query: str = Field(alias="query-id")
    passage: str = Field(alias="corpus-id")
    score: float


def is_beir(folder: Path) -> bool:
    """Is the folder of this form?"""
    return (folder / CORPUS).is_file() and (folder / QUERIES).is_file()


def folder_pairs(folder: Path, refusals: Refusals) -> Iterator[BroughtPair]:
    """The pairs of a folder."""
    corpus, queries = (texts(folder / name, refusals) for name in (CORPUS, QUERIES))
    for path in sorted((folder / QRELS).glob("*.tsv")):
        if path.stem == "test":
            message = "the benchmark's test; put its questions into data/queries, or rename it"
            refusals.add(str(path), Refused("test judgments", message))
            continue
        for row in read_rows(path, refusals):
            try:
                yield from judged(row, corpus, queries)
            except Refused as refused:
                refusals.add(row.place, refused)


def texts(path: Path, refusals: Refusals) -> dict[str, str]:
    """The texts of a file by their ids."""
    found = {}
    for row in read_rows(path, refusals):
        try:
            line = checked(Text, row)
            found[line.id] = line.text
        except Refused as refused:
            refusals.add(row.place, refused)
    return found


def judged(row: Row, corpus: dict[str, str], queries: dict[str, str]) -> Iterator[BroughtPair]:
    """The pair of one judgment; none where its score is 0."""
    found = checked(Judgment, row)
    for id, texts, name in ((found.query, queries, QUERIES), (found.passage, corpus, CORPUS)):
        if id not in texts:
            raise Refused("malformed", f"{name} holds no '{id}'")
    if found.score > 0:
        yield BroughtPair(row.place, queries[found.query], text=corpus[found.passage])
