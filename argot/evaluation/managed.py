"""Vectors by a managed model, to compare with: each text's is paid once and kept, like any reply."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field

from argot.core.params import Settings
from argot.encoding.store import Vectors, key, shorten
from argot.errors import ProviderError
from argot.llm.calls.budget import Budget
from argot.llm.calls.clients import told
from argot.llm.calls.gather import ROUNDS, Estimate, Paid
from argot.llm.calls.live import ask_live
from argot.llm.calls.redact import redact
from argot.llm.calls.request import Answer
from argot.llm.calls.settings import MachineLlm, Provider, SpendSettings
from argot.llm.calls.store import Reply, Store

# OpenAI takes no more than 300,000 tokens and 2,048 texts a request; a token is a byte at least.
MOST_BYTES = 300_000


class MachineCompare(Settings):
    """Where compared models are asked: the section `machine.compare`."""

    base_url: str
    texts: int = Field(ge=1, le=2048)


@dataclass(frozen=True)
class Texts:
    """Some texts whose vectors are asked for in one call, with what each of them is about."""

    model: str
    texts: tuple[str, ...]
    about: tuple[str, ...]
    provider: Provider = "openai"
    resource: str = "embeddings"
    max_tokens: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the client's `create`, and the JSON that goes over the wire."""
        return {"model": self.model, "input": list(self.texts), "encoding_format": "float"}

    @cached_property
    def most_tokens_in(self) -> int:
        """More tokens than the provider can count: one a byte, and some for the form."""
        return sum(len(text.encode()) + 16 for text in self.texts)

    def read(self, body: Any) -> Answer:
        """The texts' vectors, a line each; malformed where they aren't one finite vector a text."""
        tokens = 0
        try:
            tokens = int((body.get("usage") or {}).get("prompt_tokens") or 0)
            entries = sorted(body["data"], key=lambda entry: int(entry["index"]))
            values = np.array([entry["embedding"] for entry in entries], dtype=np.float32)
            whole = (
                values.ndim == 2
                and len(values) == len(self.texts)
                and bool(np.linalg.norm(values, axis=1).all())
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return Answer("malformed", "", tokens, 0)
        if not whole or not np.isfinite(values).all():
            return Answer("malformed", "", tokens, 0)
        lines = (base64.b64encode(row.astype("<f4").tobytes()).decode() for row in values)
        return Answer("good", "\n".join(lines), tokens, 0)

    def replies(self, answer: Answer, store: Store, budget: Budget) -> Iterator[Reply]:
        """A reply for each text; the tokens, which are told for all together, by the texts' lengths."""
        contents = answer.content.split("\n") if answer.content else [""] * len(self.texts)
        ends = np.cumsum([0, *(len(text.encode()) for text in self.texts)])
        tokens = np.diff(np.round(ends * answer.tokens_in / max(1, ends[-1])).astype(int)).tolist()
        for text, about, content, own in zip(self.texts, self.about, contents, tokens, strict=True):
            name = reply_key(self.model, text)
            usd = budget.cost(self.model, Answer(answer.status, "", own, 0))
            yield Reply(
                name, len(store.tries(name)), self.provider, self.model, "", about, answer.status, content, own, 0,
                round(usd, 9), batch=False,
            )  # fmt: skip


def reply_key(model: str, text: str) -> str:
    """The name of a text's vector: a hash of what decides it."""
    return hashlib.sha256(json.dumps(["embeddings", model, text]).encode()).hexdigest()[:32]


def bought(
    model: str,
    about: Mapping[str, str],
    machine: MachineLlm,
    compare: MachineCompare,
    spend: SpendSettings,
) -> tuple[Vectors, Paid]:
    """The normalised vectors of texts by a managed model: from the store where they are paid already, else bought now.

    `about` names the passage that each text is, or asks for. What is sent is masked first. Raises ProviderError where
    a text stays without a vector.
    """
    sent = {text: redact(text).text for text in about}
    machine = machine.model_copy(update={"base_url": compare.base_url})
    with Store() as store:
        budget = Budget(spend, sum(reply.usd for reply in store))

        def record(call: Texts, answer: Answer) -> None:
            for reply in call.replies(answer, store, budget):
                store.add(reply)

        failures: list[Exception] = []
        for _ in range(ROUNDS):
            if waiting := _without(store, model, sent, about):
                failures = ask_live(
                    list(_calls(model, waiting, compare.texts)), record, budget, machine
                )
        if waiting := _without(store, model, sent, about):
            reason = (
                str(told("openai", failures[-1], machine))
                if failures
                else "the provider's answers hold none"
            )
            raise ProviderError(
                f"{len(waiting)} texts got no vector by {model} in {ROUNDS} rounds; the last: {reason}"
            )
        tries = {text: store.tries(reply_key(model, masked)) for text, masked in sent.items()}
    replies = {reply.key: reply for own in tries.values() for reply in own}
    return _vectors(model, {text: own[-1] for text, own in tries.items()}), Paid(
        list(replies.values())
    )


def estimate(model: str, about: Mapping[str, str], store: Store, spend: SpendSettings) -> Estimate:
    """Tokens and dollars of the vectors that are not there yet, without asking, at four letters a token."""
    sent = {text: redact(text).text for text in about}
    waiting = _without(store, model, sent, about)
    tokens = round(sum(map(len, waiting)) / 4)
    usd = Budget(spend, 0.0).cost(model, Answer("good", "", tokens, 0))
    distinct = len(set(sent.values()))
    return Estimate(distinct, distinct - len(waiting), tokens, 0, usd, measured=False)


def _without(
    store: Store, model: str, sent: Mapping[str, str], about: Mapping[str, str]
) -> dict[str, str]:
    """The masked texts that have no vector yet, with what they are about."""
    tries = {masked: store.tries(reply_key(model, masked)) for masked in sent.values()}
    return {
        masked: about[text]
        for text, masked in sent.items()
        if not tries[masked] or tries[masked][-1].status != "good"
    }


def _calls(model: str, waiting: Mapping[str, str], most: int) -> Iterator[Texts]:
    """The texts in calls of at most so many, and no more bytes than a provider takes."""
    part: list[tuple[str, str]] = []
    filled = 0
    for text, about in waiting.items():
        length = len(text.encode())
        if part and (len(part) >= most or filled + length > MOST_BYTES):
            yield _call(model, part)
            part, filled = [], 0
        part.append((text, about))
        filled += length
    if part:
        yield _call(model, part)


def _call(model: str, part: Sequence[tuple[str, str]]) -> Texts:
    return Texts(model, tuple(text for text, _ in part), tuple(about for _, about in part))


def _vectors(model: str, replies: Mapping[str, Reply]) -> Vectors:
    rows = [
        np.frombuffer(base64.b64decode(reply.content), dtype="<f4") for reply in replies.values()
    ]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise ProviderError(
            f"{model} gave vectors of {lengths} dimensions: it is not one model; name another"
        )
    values = np.stack(rows) if rows else np.empty((0, 0), np.float32)
    return Vectors([key(text) for text in replies], shorten(values, values.shape[1]))
