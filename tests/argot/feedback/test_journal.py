from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from argot.feedback.journal import (
    FeedbackRecord,
    Journal,
    JournalFull,
    append_line,
    distinct_queries,
    exclusive,
    read_feedback,
    same_words,
)


def record(query: str) -> FeedbackRecord:
    return FeedbackRecord(kind="thumb", query=query, verdict="up", document="a.md")


def test_every_acknowledged_record_is_in_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1 << 20)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.append(record(f"q{number}")).result(), range(200)))
    records, broken = read_feedback(tmp_path)  # before the journal is closed
    assert sorted(one.query for one in records) == sorted(f"q{number}" for number in range(200))
    assert broken == 0
    journal.close()


def test_a_torn_line_is_counted_and_spoils_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1 << 20)
    journal.append(record("first")).result()
    journal.close()
    [path] = tmp_path.glob("*.jsonl")
    path.write_bytes(
        path.read_bytes() + b'{"kind": "thumb", "que'
    )  # killed in the middle of a line
    journal = Journal(tmp_path, 1 << 20)
    journal.append(record("second")).result()
    journal.close()
    records, broken = read_feedback(tmp_path)
    assert ([one.query for one in records], broken) == (["first", "second"], 1)


def test_the_limit_holds_and_counts_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.jsonl").write_bytes(b"x" * 900)
    journal = Journal(tmp_path, 1000)
    with pytest.raises(JournalFull):
        journal.append(record("q" * 100))
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["2026-01-01.jsonl"]


def test_days_that_are_too_long_ago_are_dropped_and_leave_their_room(tmp_path: Path) -> None:
    today = datetime.now(UTC)
    recent, old = (f"{today - timedelta(days=days):%Y-%m-%d}" for days in (30, 31))
    names = [f"{day}{end}" for day in (recent, old) for end in ("-asked.jsonl", ".jsonl")]
    for name in [*names, "my-notes.jsonl"]:
        (tmp_path / name).write_bytes(b'{"kind": "thumb", "query": "old"}\n' * 25)
    journal = Journal(tmp_path, 2 * 3000, keep_days=30)
    journal.append(record("q" * 300)).result()
    journal.append(record("q" * 300)).result()
    journal.close()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*names[:2], "my-notes.jsonl", f"{today:%Y-%m-%d}.jsonl"}


def test_lines_wait_while_a_file_is_written_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1 << 20)
    with exclusive(tmp_path):
        waiting = journal.append(record("q"))
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
    waiting.result(timeout=30)
    journal.close()


def test_a_disk_that_fails_is_told_to_who_waits(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gone", 1000)
    (tmp_path / "gone").rmdir()
    with pytest.raises(OSError, match="No such file"):
        journal.append(record("q")).result(timeout=10)
    journal.close()


def test_questions_are_the_same_by_their_words(tmp_path: Path) -> None:
    assert same_words("What's  a K-4 hold?") == "what s a k 4 hold"
    records = [
        FeedbackRecord(kind="asked", query=query)
        for query in ("A hold?", "a  HOLD", "?", "another")
    ]
    assert list(distinct_queries(records)) == ["A hold?", "another"]


def test_line_separators_stay_within_their_line(tmp_path: Path) -> None:
    append_line(tmp_path / "a.jsonl", {"kind": "asked", "query": "one\u2028two\u0085three"})
    assert read_feedback(tmp_path)[0][0].query == "one\u2028two\u0085three"
