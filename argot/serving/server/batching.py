"""Requests that come one by one, computed in batches by a few threads.

While a thread computes one batch, the next requests queue up and become its next batch: nobody
waits for a batch to fill.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from argot.errors import ModelError

Work = Callable[[Any, Sequence[Any]], Sequence[Any]]


class BatchItem(NamedTuple):
    """One request in the queue; items with the same key may be computed together."""

    key: Hashable
    value: Any
    future: Future[Any]


class Batcher:
    """Threads that call `work(key, values)` for requests with the same key.

    `work` returns one result for each value. `prepare` runs first, in the first thread, and returns
    how many threads shall work; each thread calls `begin` with that number. If `prepare` or `begin`
    fails, every request fails with that error. `batches` is called with the size of each batch.
    """

    def __init__(
        self,
        prepare: Callable[[], int],
        begin: Callable[[int], object],
        work: Work,
        most: int,
        batches: Callable[[int], object] | None = None,
    ) -> None:
        self.ready = threading.Event()  # set when `prepare` has ended, well or not
        self.problem = ""
        self._prepare, self._begin, self._work, self._most = prepare, begin, work, most
        self._batches = batches or (lambda size: None)
        # None ends the queue: the thread that takes it puts it back for the next thread, and ends.
        self._items: queue.SimpleQueue[BatchItem | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._busy_since = [time.monotonic()]  # when each thread began its batch; 0 when it is idle
        self._threads: list[threading.Thread] = []
        self._start(self._lead)

    def submit(self, key: Hashable, value: Any) -> Future[Any]:
        """The result of `value`, to come."""
        item = BatchItem(key, value, Future())
        with self._lock:
            if not self._closed:
                self._items.put(item)
                return item.future
        # A request that took this release before it was replaced is computed in its own thread.
        self._compute([item])
        return item.future

    def busy_seconds(self) -> float:
        """For how long all threads have been busy with their present batches; 0 if one is idle."""
        busy = list(self._busy_since)
        return time.monotonic() - max(busy) if all(busy) else 0.0

    def close(self) -> None:
        """Compute what was submitted, then end the threads."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._items.put(None)

    def _start(self, target: Callable[[int], None]) -> None:
        number = len(self._threads)
        self._threads.append(
            threading.Thread(target=target, args=(number,), name=f"batcher-{number}", daemon=True)
        )
        self._threads[number].start()

    def _lead(self, number: int) -> None:
        """The first thread: prepare, start the others, then work as they do."""
        try:
            workers = self._prepare()
        except Exception as error:  # searches must go on without the model, whatever failed
            self._fail(error)
            workers = 1
        self._busy_since += [0.0] * (workers - 1)
        self._begin_thread()
        for _ in range(workers - 1):
            self._start(self._follow)
        self.ready.set()
        self._take_batches(number)

    def _follow(self, number: int) -> None:
        """Every other thread."""
        self._begin_thread()
        self._take_batches(number)

    def _begin_thread(self) -> None:
        try:
            self._begin(len(self._busy_since))
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.problem = self.problem or " ".join(str(error).split()) or type(error).__name__

    def _take_batches(self, number: int) -> None:
        while True:
            self._busy_since[number] = 0.0
            items = self._gather()
            self._busy_since[number] = time.monotonic()
            if not items:
                return
            self._compute(items)

    def _gather(self) -> list[BatchItem]:
        """Wait for an item, and take this thread's share of those behind it; [] at the end."""
        first = self._items.get()
        if first is None:
            self._items.put(None)
            return []
        items = [first]
        waiting = 1 + self._items.qsize()
        share = min(self._most, -(-waiting // len(self._busy_since)))  # rounded up
        while len(items) < share:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._items.put(None)
                break
            items.append(item)
        return items

    def _compute(self, items: Sequence[BatchItem]) -> None:
        groups: defaultdict[Hashable, list[BatchItem]] = defaultdict(list)
        for item in items:
            if item.future.set_running_or_notify_cancel():
                groups[item.key].append(item)
        for key, group in groups.items():
            try:
                if self.problem:
                    raise ModelError(self.problem)
                self._batches(len(group))
                results = self._work(key, [item.value for item in group])
            except Exception as error:  # it belongs to those who asked, not to this thread
                for item in group:
                    item.future.set_exception(error)
            else:
                for item, result in zip(group, results, strict=True):
                    item.future.set_result(result)
