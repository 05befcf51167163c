"""Calls made one by one, many at a time; each answer is recorded the moment it comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from tqdm import tqdm

from argot.errors import ProviderError
from argot.llm.calls.budget import Budget, OverBudget
from argot.llm.calls.clients import anthropic_async, openai_async, told
from argot.llm.calls.request import Answer, Call
from argot.llm.calls.settings import MachineLlm, Provider

# So many failures in a row, each after the client's own retries, and the provider is taken to be down.
BREAKER = 10
FATAL = {400, 401, 403, 404, 405, 422}
# A request that is refused for what it says, not for its form.
POLICY = {"content_filter", "content_policy_violation", "invalid_prompt"}
Record = Callable[[Any, Answer], None]  # of the kind of call that is made


class Line:
    """The queue of calls, and what is known of those made so far."""

    def __init__(self, calls: Sequence[Call], budget: Budget, machine: MachineLlm) -> None:
        self.waiting: Iterator[Call] = iter(calls)
        self.budget = budget
        self.machine = machine
        self.stop: BaseException | None = None
        self.failures: list[Exception] = []
        self.in_a_row = 0

    def failed(self, call: Call, error: Exception) -> None:
        """Remember a failure; stop the line on one that the next call would meet as well."""
        self.failures.append(error)
        self.in_a_row += 1
        if isinstance(error, OverBudget) or getattr(error, "status_code", 0) in FATAL:
            self.stop = told(call.provider, error, self.machine)
        elif self.in_a_row >= BREAKER:
            reason = told(call.provider, error, self.machine)
            self.stop = ProviderError(f"{self.in_a_row} calls in a row failed; the last: {reason}")


def ask_live(
    calls: Sequence[Call], record: Record, budget: Budget, machine: MachineLlm
) -> list[Exception]:
    """Make all calls, and return the errors of those that got no answer.

    Raises ProviderError when going on is pointless: wrong key, unknown model, money spent, provider down. Calls in
    flight are finished and recorded first, also on the first Ctrl-C.
    """
    line = Line(calls, budget, machine)
    asyncio.run(_run(line, record, calls[0].provider, len(calls)))
    if line.stop:
        raise line.stop
    return line.failures


async def _run(line: Line, record: Record, provider: Provider, total: int) -> None:
    client = openai_async(line.machine) if provider == "openai" else anthropic_async(line.machine)
    bar = tqdm(total=total, desc="replies", disable=None)
    async with client, _interruptible(line):
        await asyncio.gather(
            *(_work(line, client, record, bar) for _ in range(min(total, line.machine.concurrency)))
        )
    bar.close()


async def _work(line: Line, client: Any, record: Record, bar: Any) -> None:
    for call in line.waiting:
        most = line.budget.most([call])
        cost = 0.0
        try:
            line.budget.reserve(most)
        except OverBudget as error:
            line.failed(call, error)
        else:
            try:
                answer = await _answer(call, client, line.machine)
                cost = line.budget.cost(call.model, answer)
                await asyncio.to_thread(
                    record, call, answer
                )  # waiting for the disk must not hold the others
                line.in_a_row = 0
            except Exception as error:
                if isinstance(error, (OSError, MemoryError)) and not isinstance(
                    error, TimeoutError
                ):
                    raise
                line.failed(call, error)
            finally:
                line.budget.settle(most, cost)
        bar.update()
        bar.set_postfix_str(f"${line.budget.paid:.3f}")
        if line.stop:
            return


async def _answer(call: Call, client: Any, machine: MachineLlm) -> Answer:
    create = attrgetter(call.resource)(client).with_raw_response.create
    # A server that drips a byte at a time never trips the client's timeout: this one counts the whole call.
    deadline = machine.timeout_seconds * (machine.retries + 2)
    try:
        async with asyncio.timeout(deadline):
            response = await create(**call.arguments)
    except Exception as error:
        if getattr(error, "code", None) in POLICY:
            return Answer("refused", "", 0, 0)
        raise
    try:
        return call.read(json.loads(response.http_response.content))
    except (ValueError, RecursionError):
        return Answer("malformed", "", 0, 0)


@contextlib.asynccontextmanager
async def _interruptible(line: Line) -> Any:
    """The first Ctrl-C lets the calls in flight finish, for they are paid; the second ends at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        if line.stop and task:
            task.cancel()
        line.stop = KeyboardInterrupt()
        print("\nfinishing the calls in flight; Ctrl-C again drops them", file=sys.stderr)

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
