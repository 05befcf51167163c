"""Replies to all requests: from the store where they are paid already, else from the provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from argot.errors import ProviderError
from argot.llm.calls.batched import BatchRun
from argot.llm.calls.budget import Budget, OverBudget
from argot.llm.calls.concurrent import call_concurrently
from argot.llm.calls.records import Records
from argot.llm.calls.request import Request
from argot.llm.calls.settings import MachineLlm, SpendSettings
from argot.llm.calls.store import Reply, Store
from argot.llm.providers.base import Outcome
from argot.llm.providers.registry import PROVIDERS

ATTEMPTS = 3  # how often a request is asked, in all, whose answers are malformed
ROUNDS = 3  # how often a request is asked that gets no answer at all
LETTERS_A_TOKEN = 4  # of English text, until replies show what the provider counts

# What a stage gives to the library, with its settings bound: requests to replies by their keys.
Complete = Callable[[Sequence[Request]], dict[str, list[Reply]]]


def completions(
    requests: Sequence[Request], machine: MachineLlm, spend: SpendSettings
) -> dict[str, list[Reply]]:
    """Every reply to each request, by its key and in the order of attempts; the last one counts.

    All requests go to one provider. Raises ProviderError if some stay without an answer: pairs
    made from only a part of the replies would differ from run to run.
    """
    with Store() as store:
        budget = Budget(spend, sum(reply.usd for reply in store))
        if unanswered(requests, store):
            # An earlier run's batches are paid, so they are collected even where calls are not
            # batched any more.
            if spend.batch or Records(store.open).all():
                _by_batch(requests, store, budget, machine)
            if not spend.batch:
                _one_by_one(requests, store, budget, machine)
        return {request.key: store.tries(request.key) for request in requests}


def unanswered(requests: Sequence[Request], store: Store) -> list[Request]:
    """The requests that must still be asked, one for each key."""
    waiting = {request.key: request for request in requests}
    return [request for key, request in waiting.items() if not _answered(store.tries(key))]


@dataclass(frozen=True)
class Paid:
    """The replies that a result was made from."""

    replies: Sequence[Reply]

    def figures(self) -> dict[str, Any]:
        """Their number, tokens and dollars; malformed ones are paid and counted like the others."""
        return {
            "replies": len(self.replies),
            "tokens_in": sum(reply.tokens_in for reply in self.replies),
            "tokens_out": sum(reply.tokens_out for reply in self.replies),
            "usd": round(sum(reply.usd for reply in self.replies), 6),
            "status": dict(Counter(reply.status for reply in self.replies)),
        }


class Estimate(NamedTuple):
    """What a run would ask, and cost."""

    requests: int
    there: int  # requests whose replies are in the store
    tokens_in: int
    tokens_out: int
    usd: float
    measured: bool  # tokens as the provider counted them for earlier replies, or else guessed


def estimate(
    requests: Sequence[Request], store: Store, spend: SpendSettings, answer_tokens: int
) -> Estimate:
    """What the missing replies would cost, without asking: by the replies that are there.

    Without any, a token is taken to have four letters, and an answer `answer_tokens`.
    """
    waiting = unanswered(requests, store)
    by_key = {request.key: request for request in requests}
    answered = (reply for reply in store if reply.key in by_key and reply.status != "lost")
    known = [reply for reply in answered if reply.tokens_in]
    tokens_in = sum(request.letters for request in waiting) / LETTERS_A_TOKEN
    tokens_out: float = len(waiting) * answer_tokens
    if known:
        letters = sum(by_key[reply.key].letters for reply in known)
        tokens_a_letter = sum(reply.tokens_in for reply in known) / letters
        tokens_in = tokens_a_letter * sum(request.letters for request in waiting)
        tokens_out = len(waiting) * sum(reply.tokens_out for reply in known) / len(known)
    total = Outcome("good", "", round(tokens_in), round(tokens_out))
    usd = Budget(spend, 0.0).cost(waiting[0].model, total, spend.batch) if waiting else 0.0
    there = len(by_key) - len(waiting)
    return Estimate(len(by_key), there, total.tokens_in, total.tokens_out, usd, bool(known))


def _answered(tries: Sequence[Reply]) -> bool:
    """Is the last reply one to keep, or were as many malformed as are allowed?"""
    malformed = sum(reply.status == "malformed" for reply in tries)
    return malformed >= ATTEMPTS or (bool(tries) and tries[-1].status in ("good", "refused"))


def _one_by_one(
    requests: Sequence[Request], store: Store, budget: Budget, machine: MachineLlm
) -> None:
    """Ask without batches, in rounds, until all requests are answered."""

    def record(request: Request, outcome: Outcome) -> None:
        attempt = request.attempt(len(store.tries(request.key)))
        usd = budget.cost(request.model, outcome)
        store.add(Reply.of(attempt, request.provider, outcome, usd, batch=False))

    rounds_with_failures = 0
    while waiting := unanswered(requests, store):
        failures = call_concurrently(waiting, record, budget, machine)
        rounds_with_failures += bool(failures)
        if failures and rounds_with_failures >= ROUNDS:
            last = PROVIDERS[requests[0].provider].error(failures[-1], machine.endpoint)
            raise _no_answer(len(failures), requests, f"the last: {last}; ")


def _by_batch(
    requests: Sequence[Request], store: Store, budget: Budget, machine: MachineLlm
) -> None:
    """Collect the batches of an earlier run, and where batches are wanted, ask by more of them."""
    provider = PROVIDERS[requests[0].provider]
    with provider.one_line_errors(machine.endpoint):
        batches = provider.batches(machine.endpoint, machine.poll_seconds)
        run = BatchRun(batches, Records(store.open), store, budget, machine)
        run.adopt(provider.name)
        if not budget.spend.batch:
            run.collect()
            return
        for _ in range(ROUNDS):
            try:
                run.begin(unanswered(requests, store))
            except OverBudget:
                run.collect()  # what is under way will be paid
                raise
            run.collect()
            if not unanswered(requests, store):
                return
    raise _no_answer(len(unanswered(requests, store)), requests, "")


def _no_answer(count: int, requests: Sequence[Request], reason: str) -> ProviderError:
    return ProviderError(
        f"{count} of {len(requests)} requests got no answer in {ROUNDS} rounds; {reason}"
        "what was paid is kept: run again to go on"
    )
