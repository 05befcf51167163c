"""Calls made at once, not in a batch: many at a time, each recorded as soon as it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from tqdm import tqdm

from argot.errors import ProviderError
from argot.llm.calls.budget import Budget, OverBudget
from argot.llm.calls.request import Call
from argot.llm.calls.settings import MachineLlm
from argot.llm.providers.base import BUSY, Outcome, at_most, counted
from argot.llm.providers.registry import PROVIDERS

# After so many failures in a row, each after all its retries, the provider counts as down.
MOST_FAILURES = 10
# Statuses that every other call would get as well: a wrong key, model or form.
FATAL = {400, 401, 403, 404, 405, 422}
# Statuses that a gateway gives when it no longer waits for the model, which may go on, and be paid.
GATEWAY = {408, 502, 504, 524}
# Errors of the client by which nothing was sent.
NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"}
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds before a retry, where the provider names none
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
    with contextlib.suppress(asyncio.CancelledError):  # by the second Ctrl-C
        asyncio.run(_run(queue, record))
    if queue.stop:
        raise queue.stop
    return queue.failures


async def _run(queue: CallQueue, record: Record) -> None:
    # The client retries nothing, for each try may be paid and must fit into the budget.
    client = queue.provider.async_client(replace(queue.machine.endpoint, retries=0))
    workers = min(queue.total, queue.machine.concurrency)
    with tqdm(total=queue.total, desc="replies", disable=None) as bar:
        async with client, _interruptible(queue):
            await asyncio.gather(*(_work(queue, client, record, bar) for _ in range(workers)))


async def _work(queue: CallQueue, client: Any, record: Record, bar: Any) -> None:
    """Make one call after another until none is left, or the queue is stopped."""
    for call in queue.waiting:
        most = queue.budget.most([call])
        try:
            await _answered(queue, call, most, client, record)
            queue.failures_in_a_row = 0
        except (OSError, MemoryError) as error:
            if not isinstance(error, TimeoutError):
                raise  # a full disk or memory: the machine failed, not the provider
            queue.failed(error)
        except Exception as error:
            queue.failed(error)
        bar.update()
        bar.set_postfix_str(f"${queue.budget.paid:.3f}")
        if queue.stop:
            return


async def _answered(queue: CallQueue, call: Call, most: float, client: Any, record: Record) -> None:
    """Make a call and record its answer; a provider that is busy or away is tried again."""
    for retry in range(queue.machine.retries + 1):
        try:
            return await _try(queue, call, most, client, record)
        except Exception as error:
            last = retry == queue.machine.retries or queue.stop is not None
            if last or not _may_pass(queue, error):
                raise
            await asyncio.sleep(_seconds_to_wait(error, retry, queue.machine.timeout_seconds))


async def _try(queue: CallQueue, call: Call, most: float, client: Any, record: Record) -> None:
    """Make a call once; record its answer, or, where none came but it may be paid, its loss."""
    queue.budget.reserve(most)
    cost, outcome = 0.0, None
    try:
        outcome = await _outcome(queue, call, client)
        cost = queue.budget.cost(call.model, outcome)
        # In a thread, so that waiting for the disk does not hold up the other calls.
        await asyncio.to_thread(record, call, outcome)
    except BaseException as error:
        # Also where a second Ctrl-C drops the call.
        if outcome is None and _may_be_paid(queue, error):
            cost = most
            record(call, at_most(call, "lost"))
        raise
    finally:
        queue.budget.settle(most, cost)


async def _outcome(queue: CallQueue, call: Call, client: Any) -> Outcome:
    create = attrgetter(call.resource)(client).with_raw_response.create
    # The client's timeout starts again with each byte: a server that sends one now and then never
    # exceeds it. This limit is for the whole call.
    try:
        async with asyncio.timeout(2 * queue.machine.timeout_seconds):
            response = await create(**call.arguments)
    except Exception as error:
        if getattr(error, "code", None) in queue.provider.refusal_codes:
            return Outcome("refused", "", 0, 0)
        raise
    try:
        return counted(call, call.read(json.loads(response.http_response.content)))
    except (ValueError, RecursionError):
        return at_most(call, "malformed")


def _may_pass(queue: CallQueue, error: Exception) -> bool:
    """Is it worth while to try again? An error without a status is one of the connection."""
    status = getattr(error, "status_code", None)
    return status in BUSY if status else _without_answer(queue, error)


def _may_be_paid(queue: CallQueue, error: BaseException) -> bool:
    """May the model have worked? Where the provider answers with an error, it did not."""
    if status := getattr(error, "status_code", None):
        return status < 400 or status in GATEWAY
    dropped = isinstance(error, asyncio.CancelledError)
    sent = type(error.__cause__).__name__ not in NOT_SENT
    return dropped or (_without_answer(queue, error) and sent)


def _without_answer(queue: CallQueue, error: BaseException) -> bool:
    return isinstance(error, TimeoutError) or queue.provider.raised(error)


def _seconds_to_wait(error: Exception, retry: int, longest: float) -> float:
    """What the provider asks for, up to `longest`; else twice as long before each further retry."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return min(max(0.0, float(headers["retry-after"])), longest)
    except (KeyError, ValueError):  # no such header, or a date
        return min(FIRST_WAIT * 2.0**retry, LONGEST_WAIT)


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
