"""The sample corpus keeps what its makers promised."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from argot.documents.formats.reader import parse
from tools.overlap import overlap

ROOT = Path(__file__).resolve().parents[1]
RUN = 12
# What people's questions about public services share with their answers, measured by `python -m tools.overlap`.
PEOPLES_OVERLAP = 0.292


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    folder = ROOT / "data/raw"
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    return {
        path.relative_to(folder).as_posix(): parse(path.name, path.read_bytes()).text
        for path in files
    }


@pytest.fixture(scope="module")
def questions() -> list[dict[str, object]]:
    lines = (ROOT / "data/queries/questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_it_is_a_handbook_in_many_formats(texts: dict[str, str]) -> None:
    assert len(texts) >= 80 and sum(len(text.split()) for text in texts.values()) >= 50_000
    assert {Path(name).suffix for name in texts} == {".md", ".html", ".docx", ".pdf", ".txt"}


def test_no_two_documents_share_a_run_of_words(texts: dict[str, str]) -> None:
    runs = defaultdict(set)
    for name, text in texts.items():
        words = re.findall(r"\w+", text.lower())
        for at in range(len(words) - RUN + 1):
            runs[" ".join(words[at : at + RUN])].add(name)
    assert {run: names for run, names in runs.items() if len(names) > 1} == {}


def test_questions_are_many_over_many_documents_and_of_marked_kinds(
    questions: list[dict[str, object]],
) -> None:
    assert len(questions) >= 250
    assert (
        len({place["document"] for question in questions for place in question["relevant"]}) >= 60
    )  # type: ignore[attr-defined]
    assert {question["kind"] for question in questions} == {
        "plain", "code", "how-to", "who-pays", "colloquial", "misspelt"
    }  # fmt: skip
    assert len({str(question["query"]).lower() for question in questions}) == len(questions)


def test_every_quote_stands_in_its_document(
    texts: dict[str, str], questions: list[dict[str, object]]
) -> None:
    flat = {name: " ".join(text.split()) for name, text in texts.items()}
    missing = [
        (question["query"], place)
        for question in questions
        for place in question["relevant"]  # type: ignore[attr-defined]
        if " ".join(place["quote"].split()) not in flat[place["document"]]
    ]
    assert missing == []


def test_questions_share_few_words_with_their_answers(
    questions: list[dict[str, object]],
) -> None:
    """People's questions share few words with the answer; the sample's must not be easier."""
    shares = [share for question in questions if (share := overlap(question)) is not None]
    assert sum(shares) / len(shares) <= PEOPLES_OVERLAP
