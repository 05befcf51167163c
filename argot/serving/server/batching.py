"""Requests that come one by one, worked on together by a few threads.

While a model works on a batch the next one gathers by itself; nobody waits for company.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any

from argot.errors import ModelError

Item = tuple[Hashable, Any, "Future[Any]"]
Work = Callable[[Any, Sequence[Any]], Sequence[Any]]
STOP = None


class Batcher:
    """Threads that call `work(key, items)` for items of the same key; it must return one result an item.

    `prepare` runs first, in a thread, and tells how many threads work; each calls `begin` with that number. If one of
    them fails, every item fails with its error. `batches` is told each batch's number of items.
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
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._busy_since = [time.monotonic()]  # of each thread; 0 when idle
        self._threads: list[threading.Thread] = []
        self._start()

    def submit(self, key: Hashable, item: Any) -> Future[Any]:
        """The result of `item`, to come."""
        future: Future[Any] = Future()
        with self._lock:
            if not self._closed:
                self._items.put((key, item, future))
                return future
        self._do(
            [(key, item, future)]
        )  # a request that began before the batcher was closed is still served
        return future

    def busy_seconds(self) -> float:
        """For how long each thread, or the preparation, has been at work on the same; 0 when one is idle."""
        busy = list(self._busy_since)
        return time.monotonic() - max(busy) if all(busy) else 0.0

    def close(self) -> None:
        """Work off what was submitted, and end the threads."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._items.put(STOP)

    def _start(self) -> None:
        number = len(self._threads)
        self._threads.append(
            threading.Thread(
                target=self._run, args=(number,), name=f"batcher-{number}", daemon=True
            )
        )
        self._threads[number].start()

    def _run(self, number: int) -> None:
        try:
            if number == 0:
                self._busy_since += [0.0] * (self._prepare() - 1)
            self._begin(len(self._busy_since))
        except Exception as error:  # whatever it was, searches must go on without the model
            self.problem = " ".join(str(error).split()) or type(error).__name__
        if number == 0:
            for _ in self._busy_since[1:]:
                self._start()
            self.ready.set()
        items: list[Item] | None = []
        while items is not None:
            self._busy_since[number] = 0.0
            items = self._gather()
            self._busy_since[number] = time.monotonic()
            self._do(items or [])
        self._items.put(STOP)  # for the next thread

    def _gather(self) -> list[Item] | None:
        """The next item, and this thread's share of those that wait behind it; None when there will be no more."""
        first = self._items.get()
        if first is STOP:
            return None
        items = [first]
        share = min(self._most, -(-(1 + self._items.qsize()) // len(self._busy_since)))
        while len(items) < share:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                break
            if item is STOP:
                self._items.put(STOP)
                break
            items.append(item)
        return items

    def _do(self, items: Sequence[Item]) -> None:
        groups: defaultdict[Hashable, list[tuple[Any, Future[Any]]]] = defaultdict(list)
        for key, item, future in items:
            if future.set_running_or_notify_cancel():
                groups[key].append((item, future))
        for key, group in groups.items():
            try:
                if self.problem:
                    raise ModelError(self.problem)
                self._batches(len(group))
                results = self._work(key, [item for item, _ in group])
            except Exception as error:  # it belongs to those who asked, not to this thread
                for _, future in group:
                    future.set_exception(error)
            else:
                for (_, future), result in zip(group, results, strict=True):
                    future.set_result(result)
