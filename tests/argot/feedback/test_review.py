from __future__ import annotations

import json
from pathlib import Path

import pytest

from argot.core.terminal import printable
from argot.feedback.journal import FeedbackRecord
from argot.feedback.review import accept, disliked, proposals, refuse, split_for
from stages.questions import parse


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def thumb(
    query: str, verdict: str = "up", document: str = "a.md", comment: str = ""
) -> FeedbackRecord:
    return FeedbackRecord(
        kind="thumb",
        query=query,
        verdict=verdict,
        document=document,
        quote="It is so.",
        comment=comment,
    )  # type: ignore[arg-type]


def test_votes_of_all_users_are_put_together() -> None:
    given = [
        thumb("Is it so?", comment="yes"),
        thumb("is it SO"),
        thumb("is it so", "down"),
        thumb("why?", "down"),
    ]
    [one] = proposals(given)
    assert (one.query, one.up, one.down, one.comments) == ("Is it so?", 2, 1, ("yes",))
    assert disliked(given) == ["why?"]


def test_nothing_becomes_a_question_without_a_yes(tmp_path: Path) -> None:
    assert proposals([thumb("is it so")] * 1000)
    assert not (tmp_path / "data/queries").exists()


def test_what_is_accepted_is_a_line_that_the_pipeline_reads(tmp_path: Path) -> None:
    split = accept(proposals([thumb("is it  so?"), thumb("is it so?", document="b.md")]), "en")
    line = parse((tmp_path / "data/queries/feedback.jsonl").read_bytes().strip())
    assert (line.query, line.split, line.kind) == ("is it so?", split, "feedback")
    assert [one.document for one in line.relevant] == ["a.md", "b.md"]
    assert proposals([thumb("Is it so")]) == []


def test_what_is_refused_is_not_proposed_again() -> None:
    [one] = proposals([thumb("is it so")])
    refuse(one)
    assert proposals([thumb("Is it so?")] * 5) == []
    assert proposals([thumb("is it so", document="b.md")])


def test_the_split_depends_on_what_is_asked_and_not_on_how() -> None:
    assert split_for("Who releases the holds?", "en") == split_for(
        "the hold: released by who", "en"
    )
    splits = [split_for(f"question about topic{number}", "en") for number in range(600)]
    shares = [splits.count(split) / 600 for split in ("train", "dev", "test")]
    assert shares == pytest.approx([0.4, 0.2, 0.4], abs=0.06)


def test_a_question_stays_where_its_like_already_is(tmp_path: Path) -> None:
    path = tmp_path / "data/queries/own.jsonl"
    path.parent.mkdir(parents=True)
    for number in range(20):
        query = f"who releases hold{number}"
        lines = [{"query": f"hold{number}: releasing, who", "relevant": [], "split": "dev"}]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert split_for(query, "en") == "dev"


def test_a_terminal_obeys_nothing_that_users_send() -> None:
    assert printable("a\x1b[2Jb\u202ec\nd") == "a�[2Jb�c\nd"
