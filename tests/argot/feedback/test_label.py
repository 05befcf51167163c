from __future__ import annotations

import json
from pathlib import Path

import pytest

from argot.core.parquet import write_table
from argot.errors import InputError
from argot.evaluation.names import ALWAYS
from argot.feedback.journal import FeedbackRecord, Journal
from argot.feedback.label import blind, candidates, judgment, keep, pooled, waiting
from argot.feedback.workbench import Place, Workbench, is_repository
from argot.tables import chunks, documents
from stages.questions import parse
from tools.tiny.release import rows


@pytest.fixture
def workbench(inputs: Path) -> Workbench:
    fixed = {"format": "markdown", "language": "en", "sha256": "", "metadata": "{}"}
    texts = {row["document"]: f"{'':<100}{row['text']}" for row in rows() if row["position"] == 1}
    table = [
        {"document": name, "title": name, "text": text, "group": name, **fixed}
        for name, text in texts.items()
    ]
    write_table(documents.PATH, table, documents.SCHEMA)
    return Workbench("cpu")


def ranking(*ids: str) -> list[Place]:
    return [Place(id, rank, 1 / rank) for rank, id in enumerate(ids, start=1)]


def test_the_pool_takes_from_every_system_alike() -> None:
    rankings = {
        "bm25": ranking("a", "b", "c"),
        "base": ranking("b", "d", "e"),
        "tuned": ranking("f"),
    }
    assert pooled(rankings) == ["a", "b", "f", "d", "c", "e"]
    assert pooled(rankings, most=4) == ["a", "b", "f", "d"]
    assert pooled({}) == []


def test_the_order_tells_nothing_about_the_systems_and_stays() -> None:
    ids = list("abcdefghi")
    assert blind("Q?", ids) == blind("q", reversed(ids))
    firsts = [blind(f"question {number}", ids).index("a") for number in range(900)]
    counts = [firsts.count(place) for place in range(9)]
    assert min(counts) > 60
    assert max(counts) < 150


def test_all_systems_of_the_repository_answer(workbench: Workbench) -> None:
    assert is_repository()
    found = workbench.search("error E-17")
    assert list(found) == list(ALWAYS)
    assert found["bm25"][0].id == "pumps/noise.md#1"
    shown = candidates(workbench, "error E-17")
    assert "pumps/noise.md#1" in [passage["chunk"] for passage in shown]
    assert set(shown[0]) == {
        "chunk",
        "document",
        "title",
        "heading",
        "page_name",
        "text",
    }  # no score, no rank, no system


def test_the_release_searches_as_its_system_on_the_bench(workbench: Workbench) -> None:
    from argot import Retriever

    expected = Retriever.load("models/release", device="cpu").search("my pump rattles", 5)
    assert [place.id for place in workbench.search("my pump rattles")["tuned+bm25+tokens"][:5]] == [
        one.id for one in expected
    ]


def test_a_judgment_is_a_line_that_the_pipeline_reads(workbench: Workbench) -> None:
    keep("what is  E-17?", [judgment(workbench, "pumps/noise.md#1")])
    keep("what is E-18?", [judgment(workbench, "pumps/noise.md#1", "the rotor\nis stuck")])
    keep("what is love?", [])
    first, second = map(parse, Path("data/queries/labelled.jsonl").read_bytes().splitlines())
    assert first.query == "what is E-17?"
    assert first.relevant[0].quote == "Error E-17 means the rotor is stuck."
    assert second.relevant[0].quote == "the rotor\nis stuck"
    assert json.loads(Path("data/feedback/review/unanswered.jsonl").read_text()) == {
        "query": "what is love?"
    }


def test_a_quote_that_stands_elsewhere_is_refused(workbench: Workbench) -> None:
    with pytest.raises(InputError, match="that passage does not contain 'seal kits'"):
        judgment(workbench, "pumps/noise.md#1", "seal kits")
    with pytest.raises(InputError, match="no passage 'nowhere'"):
        judgment(workbench, "nowhere")
    with pytest.raises(InputError, match="at least one word"):
        keep(" ? ", [])


@pytest.mark.usefixtures("workbench")
def test_what_waits_are_given_questions_then_those_that_users_asked() -> None:
    journal = Journal(Path("data/feedback"), 1 << 20)
    for query in ("asked first", "Given?", "asked last", "asked  FIRST"):
        journal.append(FeedbackRecord(kind="asked", query=query)).result()
    journal.close()
    assert waiting(["given", "other"]) == ["given", "other", "asked first", "asked last"]
    keep("Other!", [])
    assert waiting(["given", "other"]) == ["given", "asked first", "asked last"]


def test_a_bench_without_its_release_says_so(workbench: Workbench) -> None:
    write_table(chunks.PATH, rows()[:-1], chunks.SCHEMA)
    with pytest.raises(InputError, match=r"indexes other passages .*dvc repro lexical"):
        Workbench("cpu").search("pump")
