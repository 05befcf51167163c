"""What calls cost, and the limit that no call may pass."""

from __future__ import annotations

from collections.abc import Iterable

from argot.errors import ProviderError
from argot.llm.calls.request import Call
from argot.llm.calls.settings import SpendSettings
from argot.llm.providers.base import Outcome


class OverBudget(ProviderError):
    """The next call could pass `spend.max_usd`."""


class Budget:
    """Counts in US dollars what was paid, and what the calls under way may cost at most."""

    def __init__(self, spend: SpendSettings, paid: float) -> None:
        self.spend = spend
        self.paid = paid
        # Many calls run at once, so each reserves its highest possible bill before it is made: the
        # limit then holds even if all of them cost that much.
        self._reserved = 0.0

    def most(self, calls: Iterable[Call], batch: bool = False) -> float:
        """An upper bound of the bill for these calls."""
        return sum(
            self._usd(call.model, call.most_tokens_in, call.max_tokens, batch) for call in calls
        )

    def cost(self, model: str, outcome: Outcome, batch: bool = False) -> float:
        """The bill for one call."""
        return self._usd(model, outcome.tokens_in, outcome.tokens_out, batch)

    def reserve(self, usd: float) -> None:
        """Reserve money for calls before they are made; OverBudget if the limit forbids them."""
        if self.paid + self._reserved + usd > self.spend.max_usd:
            raise OverBudget(
                f"spend.max_usd: the next call may cost ${usd:.4f} and could exceed "
                f"${self.spend.max_usd:.2f}: ${self.paid:.4f} are paid, calls without an answer "
                "counted at their most, and all of it is kept; raise spend.max_usd and run again "
                "to go on"
            )
        self._reserved += usd

    def reserve_known(self, usd: float) -> None:
        """Reserve money for calls that an earlier run made: too late for the limit to forbid."""
        self._reserved += usd

    def settle(self, reserved: float, usd: float) -> None:
        """End the reserve of calls that came back, and count what they cost instead."""
        self._reserved -= reserved
        self.paid += usd

    def _usd(self, model: str, tokens_in: int, tokens_out: int, batch: bool) -> float:
        price = self.spend.price(model)
        share = 1 - self.spend.batch_discount if batch else 1.0
        return share * (tokens_in * price.input + tokens_out * price.output) / 1e6
