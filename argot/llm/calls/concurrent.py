"""Calls made at once, not in a batch: many at a time, each recorded as soon as it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from tqdm import tqdm

from argot.errors import ProviderError
from argot.llm.calls.budget import Budget, OverBudget
from argot.llm.calls.request import Call
from argot.llm.calls.settings import MachineLlm
from argot.llm.providers.base import Outcome
from argot.llm.providers.registry import PROVIDERS

# After so many failures in a row, each after the client's own retries, the provider counts as down.
MOST_FAILURES = 10
# Statuses that every other call would get as well: a wrong key, model or form.
FATAL = {400, 401, 403, 404, 405, 422}
Record = Callable[[Any, Outcome], None]  # is given the call and what came of it


class CallQueue:
    """The calls still to be made, and what is known of those made so far."""

    def __init__(self, calls: Sequence[Call], budget: Budget, machine: MachineLlm) -> None:
        self.provider = PROVIDERS[calls[0].provider]
        self.waiting: Iterator[Call] = iter(calls)
        self.total = len(calls)
        self.budget = budget
        self.machine = machine
        self.stop: BaseException | None = None  # why no further call is made
        self.failures: list[Exception] = []
        self.failures_in_a_row = 0

    def failed(self, error: Exception) -> None:
        """Note a failure; stop the queue on one that the next call would meet as well."""
        self.failures.append(error)
        self.failures_in_a_row += 1
        if isinstance(error, OverBudget) or getattr(error, "status_code", 0) in FATAL:
            self.stop = self.provider.error(error, self.machine.endpoint)
        elif self.failures_in_a_row >= MOST_FAILURES:
            last = self.provider.error(error, self.machine.endpoint)
            self.stop = ProviderError(
                f"{self.failures_in_a_row} calls in a row failed; the last: {last}; "
                "what was paid is kept: run again to go on"
            )


def call_concurrently(
    calls: Sequence[Call], record: Record, budget: Budget, machine: MachineLlm
) -> list[Exception]:
    """Make all calls, which go to one provider, and return the errors of the unanswered ones.

    Raises ProviderError when going on is pointless: wrong key, unknown model, budget spent,
    provider down. Calls in flight are finished and recorded first, also on the first Ctrl-C.
    """
    queue = CallQueue(calls, budget, machine)
    asyncio.run(_run(queue, record))
    if queue.stop:
        raise queue.stop
    return queue.failures


async def _run(queue: CallQueue, record: Record) -> None:
    client = queue.provider.async_client(queue.machine.endpoint)
    workers = min(queue.total, queue.machine.concurrency)
    with tqdm(total=queue.total, desc="replies", disable=None) as bar:
        async with client, _interruptible(queue):
            await asyncio.gather(*(_work(queue, client, record, bar) for _ in range(workers)))


async def _work(queue: CallQueue, client: Any, record: Record, bar: Any) -> None:
    """Make one call after another until none is left, or the queue is stopped."""
    for call in queue.waiting:
        most = queue.budget.most([call])
        try:
            queue.budget.reserve(most)
        except OverBudget as error:
            queue.failed(error)
        else:
            queue.budget.settle(most, await _paid(queue, call, client, record))
        bar.update()
        bar.set_postfix_str(f"${queue.budget.paid:.3f}")
        if queue.stop:
            return


async def _paid(queue: CallQueue, call: Call, client: Any, record: Record) -> float:
    """Make a call, record what comes of it or note its failure, and return what it cost."""
    cost = 0.0
    try:
        outcome = await _outcome(queue, call, client)
        cost = queue.budget.cost(call.model, outcome)
        # In a thread, so that waiting for the disk does not hold up the other calls.
        await asyncio.to_thread(record, call, outcome)
        queue.failures_in_a_row = 0
    except TimeoutError as error:
        queue.failed(error)
    except (OSError, MemoryError):
        raise  # a full disk or memory: the machine failed, not the provider
    except Exception as error:
        queue.failed(error)
    return cost


async def _outcome(queue: CallQueue, call: Call, client: Any) -> Outcome:
    create = attrgetter(call.resource)(client).with_raw_response.create
    # The client's timeout starts again with each byte: a server that sends one now and then never
    # exceeds it. This limit is for the whole call with all its retries.
    limit = queue.machine.timeout_seconds * (queue.machine.retries + 2)
    try:
        async with asyncio.timeout(limit):
            response = await create(**call.arguments)
    except Exception as error:
        if getattr(error, "code", None) in queue.provider.refusal_codes:
            return Outcome("refused", "", 0, 0)
        raise
    try:
        return call.read(json.loads(response.http_response.content))
    except (ValueError, RecursionError):
        return Outcome("malformed", "", 0, 0)


@contextlib.asynccontextmanager
async def _interruptible(queue: CallQueue) -> AsyncIterator[None]:
    """The first Ctrl-C lets the calls in flight finish, which are paid; the second ends at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        if queue.stop and task:
            task.cancel()
        queue.stop = KeyboardInterrupt()
        print("\nfinishing the calls in flight; Ctrl-C again drops them", file=sys.stderr)

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
