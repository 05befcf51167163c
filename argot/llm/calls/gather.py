"""Replies to all requests: from the store where they are paid already, else live or by batch, within the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from argot.errors import ProviderError
from argot.llm.calls.batch import Asked, Batch, Batches, Records, adopt, start, wait
from argot.llm.calls.budget import Budget, OverBudget
from argot.llm.calls.clients import told
from argot.llm.calls.live import ask_live
from argot.llm.calls.request import Answer, Request
from argot.llm.calls.settings import MachineLlm, SpendSettings
from argot.llm.calls.store import Reply, Store

ATTEMPTS = 3  # a malformed answer is asked for again, so often in all
ROUNDS = 3  # requests that got no answer at all are asked again, in so many rounds


def gather(
    requests: Sequence[Request], machine: MachineLlm, spend: SpendSettings
) -> dict[str, list[Reply]]:
    """Every reply to each request, by its key and in the order of attempts; the last one counts.

    Raises ProviderError if some stay without an answer: pairs made of a part would differ from run to run.
    """
    with Store() as store:
        budget = Budget(spend, sum(reply.usd for reply in store))
        if unanswered(requests, store):
            # Batches of an earlier run are paid, and waited for even where calls are live now.
            if spend.batch or Records(store.open).all():
                _by_batch(requests, store, budget, machine)
            if not spend.batch:
                _live(requests, store, budget, machine)
        return {request.key: store.tries(request.key) for request in requests}


def unanswered(requests: Sequence[Request], store: Store) -> list[Request]:
    """The requests that must still be asked, one a key."""
    waiting = {request.key: request for request in requests}
    return [request for key, request in waiting.items() if not _settled(store.tries(key))]


@dataclass(frozen=True)
class Paid:
    """The replies that the pairs were made with."""

    replies: Sequence[Reply]

    def figures(self) -> dict[str, Any]:
        """Their number, tokens and dollars, malformed ones included: they are paid like the others."""
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
    there: int
    tokens_in: int
    tokens_out: int
    usd: float
    measured: bool  # tokens counted by the provider for earlier replies, or guessed from the length


def estimate(requests: Sequence[Request], store: Store, spend: SpendSettings) -> Estimate:
    """Tokens and dollars of what is still to be asked, without asking: by the usage of replies that are there."""
    waiting = unanswered(requests, store)
    by_key = {request.key: request for request in requests}
    known = [
        (by_key[reply.key], reply) for reply in store if reply.key in by_key and reply.tokens_in
    ]
    letters = sum(len(request.system + request.user) for request, _ in known)
    # Without replies to go by: three letters a token, and answers of half their allowed length.
    rate = sum(reply.tokens_in for _, reply in known) / letters if known else 1 / 3
    tokens_in = round(rate * sum(len(request.system + request.user) for request in waiting))
    out = sum(reply.tokens_out for _, reply in known) / len(known) if known else None
    tokens_out = round(
        sum(out if out is not None else request.max_tokens / 2 for request in waiting)
    )
    budget = Budget(spend, 0.0)
    whole = Answer("good", "", tokens_in, tokens_out)
    usd = budget.cost(waiting[0].model, whole, spend.batch) if waiting else 0.0
    return Estimate(
        len(by_key), len(by_key) - len(waiting), tokens_in, tokens_out, usd, bool(known)
    )


def _settled(tries: Sequence[Reply]) -> bool:
    return bool(tries) and (tries[-1].status != "malformed" or len(tries) >= ATTEMPTS)


def _live(requests: Sequence[Request], store: Store, budget: Budget, machine: MachineLlm) -> None:
    def record(request: Request, answer: Answer) -> None:
        attempt = len(store.tries(request.key))
        store.add(
            Reply.of(request, answer, attempt, budget.cost(request.model, answer), batch=False)
        )

    silent = 0
    while waiting := unanswered(requests, store):
        failures = ask_live(waiting, record, budget, machine)
        silent += bool(failures)
        if failures and silent >= ROUNDS:
            raise _told(requests, len(failures), told(requests[0].provider, failures[-1], machine))


def _by_batch(
    requests: Sequence[Request], store: Store, budget: Budget, machine: MachineLlm
) -> None:
    name = requests[0].provider
    try:
        provider, records = _batches(name, machine), Records(store.open)
        under_way = adopt(provider, records, name)
        for batch in under_way:
            budget.settle(-batch.most_usd, 0.0)
        for _ in range(ROUNDS):
            over = _begin(requests, under_way, store, budget, (provider, records), machine)
            for batch, answers in wait(under_way, provider, machine):
                _collect(batch, answers, store, budget)
                records.remove(batch)
            under_way = []
            if over:
                raise over
            if not budget.spend.batch or not unanswered(requests, store):
                return
    except Exception as error:
        raise told(name, error, machine) from None
    raise _told(requests, len(unanswered(requests, store)), None)


def _begin(
    requests: Sequence[Request], under_way: list[Batch], store: Store, budget: Budget,
    where: tuple[Batches, Records], machine: MachineLlm,
) -> OverBudget | None:  # fmt: skip
    if not budget.spend.batch:
        return None
    asked = {entry.key for batch in under_way for entry in batch.asked}
    waiting = [request for request in unanswered(requests, store) if request.key not in asked]
    for at in range(0, len(waiting), machine.batch_requests):
        part = waiting[at : at + machine.batch_requests]
        most = budget.most(part, batch=True)
        try:
            budget.reserve(most)
        except OverBudget as error:
            return error
        batch = Batch.plan([(request, len(store.tries(request.key))) for request in part], most)
        under_way.append(start(batch, part, *where))
    return None


def _collect(
    batch: Batch, answers: Sequence[tuple[Asked, Answer | None]], store: Store, budget: Budget
) -> None:
    paid = 0.0
    for asked, answer in answers:
        recorded = any(reply.attempt == asked.attempt for reply in store.tries(asked.key))
        if answer is not None and not recorded:  # a kill while collecting leaves some recorded
            usd = budget.cost(asked.model, answer, batch=True)
            store.add(
                Reply(
                    asked.key, asked.attempt, batch.provider, asked.model, asked.prompt, asked.about, answer.status,
                    answer.content, answer.tokens_in, answer.tokens_out, round(usd, 9), batch=True,
                )
            )  # fmt: skip
            paid += usd
    budget.settle(batch.most_usd, paid)


def _batches(name: str, machine: MachineLlm) -> Batches:
    if name == "openai":
        from argot.llm.calls.batch_openai import OpenAiBatches

        return OpenAiBatches(machine)
    from argot.llm.calls.batch_anthropic import AnthropicBatches

    return AnthropicBatches(machine)


def _told(requests: Sequence[Request], count: int, last: ProviderError | None) -> ProviderError:
    reason = f"the last: {last}" if last else "run again to go on; what was paid is kept"
    return ProviderError(
        f"{count} of {len(requests)} requests got no answer in {ROUNDS} rounds; {reason}"
    )
