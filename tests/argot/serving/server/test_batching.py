from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from argot.errors import ModelError
from argot.serving.server.batching import Batcher


class Doubler:
    """Work that doubles numbers, once it is told to go on; it notes what it was given together."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.together = threading.Barrier(2, timeout=20)
        self.batches: list[list[int]] = []

    def __call__(self, key: str, items: Sequence[int]) -> Sequence[int]:
        if key == "meet":
            self.together.wait()
        self.go_on.wait(20)
        self.batches.append(list(items))
        return [2 * item for item in items]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


@pytest.fixture
def batcher(doubler: Doubler) -> Iterator[Batcher]:
    batcher = Batcher(lambda: 2, lambda workers: None, doubler, most=3)
    batcher.ready.wait()
    yield batcher
    doubler.go_on.set()
    batcher.close()


def test_threads_work_at_the_same_time(batcher: Batcher, doubler: Doubler) -> None:
    doubler.go_on.set()
    futures = [batcher.submit("meet", number) for number in (1, 2)]
    assert [future.result(20) for future in futures] == [2, 4]


def test_what_waits_is_shared_out(batcher: Batcher, doubler: Doubler) -> None:
    meeting = [batcher.submit("meet", number) for number in (1, 2)]
    while not batcher.busy_seconds():
        pass
    futures = [batcher.submit("", number) for number in range(10)]
    doubler.go_on.set()
    assert [future.result(20) for future in [*meeting, *futures]] == [2, 4, *range(0, 20, 2)]
    assert max(len(batch) for batch in doubler.batches) == 3  # not the five that are its share


def test_it_is_busy_when_every_thread_is(batcher: Batcher, doubler: Doubler) -> None:
    first = batcher.submit("", 1)
    assert batcher.busy_seconds() == 0
    second = batcher.submit("", 2)
    while not batcher.busy_seconds():
        pass
    doubler.go_on.set()
    assert (first.result(20), second.result(20)) == (2, 4)


def test_a_failed_preparation_fails_every_item(doubler: Doubler) -> None:
    def prepare() -> int:
        raise OSError("no model")

    batcher = Batcher(prepare, lambda workers: None, doubler, most=3)
    batcher.ready.wait()
    with pytest.raises(ModelError, match="no model"):
        batcher.submit("", 1).result(20)
    batcher.close()


def test_all_threads_end(batcher: Batcher, doubler: Doubler) -> None:
    doubler.go_on.set()
    future = batcher.submit("", 4)
    batcher.close()
    for thread in batcher._threads:
        thread.join(20)
        assert not thread.is_alive()
    assert future.result(0) == 8
    assert batcher.submit("", 5).result(0) == 10
