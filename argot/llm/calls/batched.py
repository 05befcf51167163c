"""Calls made in batches, at a lower price; an earlier run's batches are finished first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tqdm import tqdm

from argot.errors import ProviderError
from argot.llm.calls.budget import Budget
from argot.llm.calls.records import Batch, Records
from argot.llm.calls.request import Request
from argot.llm.calls.settings import MachineLlm
from argot.llm.calls.store import Reply, Store
from argot.llm.providers.base import BUSY, Batches, Outcome, Progress, counted

CLOCKS = 300  # seconds by which the provider's clock may differ from ours
# Seconds to wait for a busy provider before each further try.
WAITS = (1.0, 5.0, 20.0)


@dataclass
class BatchRun:
    """The batches of one run: begun, waited for, and their replies stored."""

    batches: Batches
    records: Records
    store: Store
    budget: Budget
    machine: MachineLlm
    under_way: list[Batch] = field(default_factory=list)

    def adopt(self, provider: str) -> None:
        """Take over the batches of a run that was killed: the limit cannot forbid them any more.

        Some were created, but killed before their id was recorded: the provider is asked for them.
        """
        found = [batch for batch in self.records.all() if batch.provider == provider]
        taken = {batch.id for batch in found if batch.id}
        for batch in found:
            id = batch.id or self._find(batch, taken)
            if not id:
                self.records.remove(batch)  # it was never created
                continue
            taken.add(id)
            batch = replace(batch, id=id)
            self.records.write(batch)
            self.budget.reserve_known(batch.most_usd)
            self.under_way.append(batch)

    def begin(self, requests: Sequence[Request]) -> None:
        """Begin batches of the requests that are in none yet; OverBudget at the first too dear."""
        asked = {attempt.key for batch in self.under_way for attempt in batch.asked}
        waiting = [request for request in requests if request.key not in asked]
        for at in range(0, len(waiting), self.machine.batch_requests):
            part = waiting[at : at + self.machine.batch_requests]
            most = self.budget.most(part, batch=True)
            self.budget.reserve(most)
            attempts = [request.attempt(len(self.store.tries(request.key))) for request in part]
            batch = Batch.plan(part[0].provider, attempts, most)
            bodies = {id: request.body for id, request in zip(batch.ids, part, strict=True)}
            # Recorded before and after: a kill in between leaves a record without an id.
            self.records.write(batch)
            batch = replace(batch, id=self._create(batch, bodies))
            self.records.write(batch)
            self.under_way.append(batch)

    def collect(self) -> None:
        """Wait until all batches have ended, and store the replies of each as it ends."""
        for batch in self._ended():
            self._keep(batch)
            self.records.remove(batch)
        self.under_way = []

    def _find(self, batch: Batch, taken: set[str]) -> str | None:
        return self.batches.find(batch.name, batch.ids, batch.planned - CLOCKS, taken)

    def _create(self, batch: Batch, bodies: Mapping[str, dict[str, Any]]) -> str:
        for seconds in WAITS:
            try:
                return self.batches.create(batch.name, bodies)
            except Exception as error:
                if getattr(error, "status_code", 0) not in BUSY:
                    raise
            time.sleep(seconds)
            # The provider may have created the batch although it answered with an error.
            if id := self._find(batch, set()):
                return id
        return self.batches.create(batch.name, bodies)

    def _ended(self) -> Iterator[Batch]:
        """Poll the batches, and yield each when it has ended."""
        waiting, done = list(self.under_way), {batch.id: 0 for batch in self.under_way}
        total = sum(len(batch.asked) for batch in waiting)
        with tqdm(total=total, desc="batches", disable=None) as bar:
            while waiting:
                for batch in list(waiting):
                    progress = self._progress(batch)
                    bar.update(progress.done - done[batch.id])
                    done[batch.id] = progress.done
                    if progress.ended:
                        waiting.remove(batch)
                        yield batch
                if waiting:
                    time.sleep(self.machine.poll_seconds)

    def _progress(self, batch: Batch) -> Progress:
        try:
            return self.batches.progress(batch.id)
        except ProviderError:
            # It was given up and will never be paid: on record, it would end every later run too.
            self.records.remove(batch)
            raise

    def _keep(self, batch: Batch) -> None:
        """Store a batch's replies; a request without an outcome was not paid, and has none."""
        paid = 0.0
        outcomes = self._outcomes(batch)
        for attempt in batch.asked:
            outcome = outcomes.get(attempt.id)
            tries = self.store.tries(attempt.key)
            # A run that was killed while it collected has stored some of them already.
            if outcome is None or any(reply.attempt == attempt.number for reply in tries):
                continue
            outcome = counted(attempt, outcome)
            usd = self.budget.cost(attempt.model, outcome, batch=True)
            self.store.add(Reply.of(attempt, batch.provider, outcome, usd, batch=True))
            paid += usd
        self.budget.settle(batch.most_usd, paid)

    def _outcomes(self, batch: Batch) -> dict[str, Outcome | None]:
        outcomes = dict(self.batches.results(batch.id))
        if foreign := set(outcomes) - set(batch.ids):
            raise ProviderError(
                f"batch {batch.id} holds answers to {len(foreign)} requests that are not its own"
            )
        return outcomes
