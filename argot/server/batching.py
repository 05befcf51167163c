"""Requests that come one by one, worked on together.

A model takes hardly longer for sixteen short texts than for one. While it works on a batch the next one gathers by
itself; only the first item of an idle moment lingers, for a few milliseconds, in case company comes.
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
    """One thread that calls `work(key, items)` for items of the same key; it must return one result an item.

    `prepare` runs first, in that thread; if it fails, every item fails with its error. `batches` is told each
    batch's number of items.
    """

    def __init__(
        self,
        prepare: Callable[[], object],
        work: Work,
        most: int,
        linger: float,
        batches: Callable[[int], object] | None = None,
    ) -> None:
        self.ready = threading.Event()  # set when `prepare` has ended, well or not
        self.problem = ""
        self._prepare, self._work, self._most, self._linger = prepare, work, most, linger
        self._batches = batches or (lambda size: None)
        self._items: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._busy_since = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, key: Hashable, item: Any) -> Future[Any]:
        """The result of `item`, to come."""
        future: Future[Any] = Future()
        with self._lock:
            if not self._closed:
                self._items.put((key, item, future))
                return future
        self._do([(key, item, future)])  # a request that began before the batcher was closed is still served
        return future

    def busy_seconds(self) -> float:
        """For how long the batch at work, or the preparation, has been going on; 0 when idle."""
        since = self._busy_since
        return time.monotonic() - since if since else 0.0

    def close(self) -> None:
        """Work off what was submitted, and end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._items.put(STOP)

    def _run(self) -> None:
        try:
            self._prepare()
        except Exception as error:  # whatever it was, searches must go on without the model
            self.problem = " ".join(str(error).split()) or type(error).__name__
        self.ready.set()
        while True:
            self._busy_since = 0.0
            first = self._items.get()
            if first is STOP:
                return
            items, ended = self._gather(first)
            self._busy_since = time.monotonic()
            self._do(items)
            if ended:
                return

    def _gather(self, first: Item) -> tuple[list[Item], bool]:
        items, until = [first], time.monotonic() + self._linger
        while len(items) < self._most:
            try:
                item = self._items.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if item is STOP:
                return items, True
            items.append(item)
        return items, False

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
