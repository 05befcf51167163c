from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from argot.errors import InputError
from argot.llm.calls import store as module
from argot.llm.calls.store import OPEN, REPLIES, Reply, Store


def reply(key: str, attempt: int = 0, about: str = "chunk") -> Reply:
    return Reply(key, attempt, "openai", "m", "p", about, "good", '{"a": "ü"}', 10, 5, 0.001, False)


def segments() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in REPLIES.glob("*")}


def test_replies_are_there_again_after_closing() -> None:
    with Store() as store:
        store.add(reply("b"))
        store.add(reply("a"))
    with Store() as store:
        assert [found.key for found in store] == ["a", "b"]
        assert store.tries("a") == [reply("a")]
    assert len(segments()) == 1


def test_a_segment_is_named_by_its_content_whatever_the_order() -> None:
    with Store() as store:
        store.add(reply("a"))
        store.add(reply("b"))
    first = segments()
    with Store(Path("other"), Path("other.open")) as store:
        store.add(reply("b"))
        store.add(reply("a"))
    assert {path.name: path.read_bytes() for path in Path("other").glob("*")} == first


def test_a_reply_is_on_disk_before_add_returns() -> None:
    with Store() as store:
        store.add(reply("a"))
        assert (OPEN / "journal.jsonl").read_bytes().endswith(b"\n")


def test_a_killed_run_leaves_a_journal_that_the_next_one_seals() -> None:
    with Store() as store:
        store.add(reply("a"))
        store.add(reply("b"))
        left = (OPEN / "journal.jsonl").read_bytes()
    sealed = segments()
    (OPEN / "journal.jsonl").write_bytes(left)  # killed between sealing and removing
    with Store() as store:
        assert len(list(store)) == 2
    assert segments() == sealed
    (OPEN / "journal.jsonl").write_bytes(left + b'{"key": "torn", "att')  # killed within a write
    with Store() as store:
        assert len(list(store)) == 2
        store.add(reply("c"))
    with Store() as store:
        assert [found.key for found in store] == ["a", "b", "c"]


def test_segments_stay_small_and_never_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", 3)
    with Store() as store:
        for number in range(7):
            store.add(reply(str(number)))
    first = segments()
    assert len(first) == 3
    with Store() as store:
        store.add(reply("7"))
    assert first.items() < segments().items()


def test_there_is_one_writer() -> None:
    with Store(), pytest.raises(InputError, match="another run"), Store():
        pass


def test_a_deleted_document_takes_its_replies_along() -> None:
    with Store() as store:
        store.add(reply("a", about="old"))
        store.add(reply("b", about="new"))
    with Store() as store:
        assert store.keep(lambda found: found.about == "new") == 1
        assert store.keep(lambda found: found.about == "new") == 0
    with Store() as store:
        assert [found.key for found in store] == ["b"]


def test_a_damaged_segment_is_named() -> None:
    REPLIES.mkdir(parents=True)
    (REPLIES / "bad.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"bad\.jsonl is damaged"), Store():
        pass


def test_a_full_disk_spoils_no_reply() -> None:
    code = """
import resource
from argot.llm.calls.store import Store
from tests.argot.llm.calls.test_store import reply
with Store() as store:
    store.add(reply("a"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, -1))
    try:
        store.add(reply("b"))
    except OSError as error:
        print(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    store.add(reply("c"))
with Store() as store:
    print([found.key for found in store])
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split("\n")[:2] == ["OSError", "['a', 'c']"]


def test_many_threads_may_add_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", 7)
    with Store() as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.add(reply(f"{number:03}")), range(100)))
    with Store() as store:
        assert [found.key for found in store] == [f"{number:03}" for number in range(100)]
