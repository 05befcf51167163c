"""Vectors by a managed model, to compare with: each text's is paid once and kept like any reply."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from argot.core.params import Settings
from argot.encoding.store.vectors import Vectors, key, shorten
from argot.errors import ProviderError
from argot.llm.calls.budget import Budget
from argot.llm.calls.completions import ROUNDS, Estimate, Paid
from argot.llm.calls.concurrent import call_concurrently
from argot.llm.calls.passages import masked_texts
from argot.llm.calls.redact import redact
from argot.llm.calls.request import Attempt
from argot.llm.calls.settings import MachineLlm, SpendSettings
from argot.llm.calls.store import Reply, Store
from argot.llm.providers.base import Outcome
from argot.llm.providers.registry import embedding_provider
from argot.tables.chunks import Corpus, passage

PROVIDER, EMBEDDINGS = embedding_provider()
LETTERS_A_TOKEN = 4  # of English text, for the estimate
BYTES_A_FORM = 16  # of the JSON around one text, at most


class MachineCompare(Settings):
    """Where compared models are asked: the section `machine.compare`."""

    base_url: str
    texts: int = Field(ge=1, le=EMBEDDINGS.most_texts)


@dataclass(frozen=True)
class EmbeddingCall:
    """Some texts whose vectors are asked for in one call, and the passage each text is about."""

    model: str
    texts: tuple[str, ...]
    about: tuple[str, ...]
    provider: str = PROVIDER.name
    resource: str = EMBEDDINGS.resource
    max_tokens: int = 0  # embeddings have no tokens out

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the client's `create`, and the JSON that goes over the wire."""
        return EMBEDDINGS.arguments(self.model, self.texts)

    @cached_property
    def most_tokens_in(self) -> int:
        """More tokens than the provider can count: one a byte, and some for each text's form."""
        return sum(len(text.encode()) + BYTES_A_FORM for text in self.texts)

    def read(self, body: Any) -> Outcome:
        """The texts' vectors, one a line as base64 of little-endian float32.

        Malformed unless there is one finite vector for each text, none of them zero.
        """
        tokens = 0
        try:
            tokens = EMBEDDINGS.tokens(body)
            vectors = np.array(EMBEDDINGS.vectors(body), dtype=np.float32)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Outcome("malformed", "", tokens, 0)
        if not self._is_whole(vectors):
            return Outcome("malformed", "", tokens, 0)
        lines = (base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors)
        return Outcome("good", "\n".join(lines), tokens, 0)

    def replies(self, outcome: Outcome, store: Store, budget: Budget) -> Iterator[Reply]:
        """A reply for each text.

        The provider counts the tokens of all texts together; each text gets its share by length.
        """
        contents = outcome.content.split("\n") if outcome.content else [""] * len(self.texts)
        # Rounded where one text ends and the next begins, so that the shares add up to the whole.
        ends = np.cumsum([0, *(len(text.encode()) for text in self.texts)])
        tokens = np.diff(np.round(ends * outcome.tokens_in / max(1, ends[-1])).astype(int)).tolist()
        for text, about, content, own in zip(self.texts, self.about, contents, tokens, strict=True):
            name = reply_key(self.model, text)
            attempt = Attempt(name, len(store.tries(name)), self.model, "", about)
            of_text = Outcome(outcome.status, content, own, 0)
            usd = budget.cost(self.model, of_text)
            yield Reply.of(attempt, self.provider, of_text, usd, batch=False)

    def _is_whole(self, vectors: NDArray[np.float32]) -> bool:
        one_each = vectors.ndim == 2 and len(vectors) == len(self.texts)
        return (
            one_each
            and bool(np.linalg.norm(vectors, axis=1).all())
            and bool(np.isfinite(vectors).all())
        )


def reply_key(model: str, text: str) -> str:
    """The name of a text's vector: a hash of what decides it. Paid vectors are found by it."""
    return hashlib.sha256(json.dumps(["embeddings", model, text]).encode()).hexdigest()[:32]


def bought(
    model: str,
    about: Mapping[str, str],
    shown: Mapping[str, str],
    machine: MachineLlm,
    compare: MachineCompare,
    spend: SpendSettings,
) -> tuple[Vectors, Paid]:
    """The normalised vectors of texts by a managed model: from the store, or else bought now.

    `about` maps each text to the passage that it is, or that it asks for, and `shown` a passage to
    what may be shown of it. All that is sent is masked.
    Raises ProviderError where a text still has no vector after ROUNDS calls.
    """
    sent = _sent(about, shown)
    machine = machine.model_copy(update={"base_url": compare.base_url})
    with Store() as store:
        budget = Budget(spend, sum(reply.usd for reply in store))

        def record(call: EmbeddingCall, outcome: Outcome) -> None:
            for reply in call.replies(outcome, store, budget):
                store.add(reply)

        # A round asks only for what the rounds before it left without a vector.
        failures: list[Exception] = []
        for _ in range(ROUNDS):
            if waiting := _without(store, model, sent, about):
                calls = list(_calls(model, waiting, compare.texts))
                failures = call_concurrently(calls, record, budget, machine)
        if waiting := _without(store, model, sent, about):
            reason = "the provider's answers hold none"
            if failures:
                reason = str(PROVIDER.error(failures[-1], machine.endpoint))
            raise ProviderError(
                f"{len(waiting)} texts got no vector by {model} in {ROUNDS} rounds; "
                f"the last: {reason}; what was paid is kept: run again to go on"
            )
        tries = {text: store.tries(reply_key(model, masked)) for text, masked in sent.items()}
    # Two texts that are the same when masked share their replies.
    replies = {reply.key: reply for own in tries.values() for reply in own}
    vectors = _vectors(model, {text: own[-1] for text, own in tries.items()})
    return vectors, Paid(list(replies.values()))


def estimate(
    model: str,
    about: Mapping[str, str],
    shown: Mapping[str, str],
    store: Store,
    spend: SpendSettings,
) -> Estimate:
    """Tokens and dollars of the vectors that are not in the store yet, without asking."""
    sent = _sent(about, shown)
    waiting = _without(store, model, sent, about)
    tokens = round(sum(map(len, waiting)) / LETTERS_A_TOKEN)
    usd = Budget(spend, 0.0).cost(model, Outcome("good", "", tokens, 0))
    distinct = len(set(sent.values()))
    return Estimate(distinct, distinct - len(waiting), tokens, 0, usd, measured=False)


def shown_passages(corpus: Corpus) -> dict[str, str]:
    """Each passage with what may be shown of it."""
    texts = masked_texts(corpus, corpus.ids)
    shown: dict[str, str] = {}
    rows = zip(corpus.passages, corpus.ids, corpus.headings, strict=True)
    for whole, id, heading in rows:
        of_this = passage(heading, texts[id])
        # The same words may be a part of something private in one document only.
        if of_this != whole:
            shown[whole] = of_this
    return shown


def _sent(about: Mapping[str, str], shown: Mapping[str, str]) -> dict[str, str]:
    return {text: redact(shown.get(text, text)).text for text in about}


def _without(
    store: Store, model: str, sent: Mapping[str, str], about: Mapping[str, str]
) -> dict[str, str]:
    """The masked texts that have no vector yet, with the passages they are about."""
    waiting = {}
    for text, masked in sent.items():
        tries = store.tries(reply_key(model, masked))
        if not tries or tries[-1].status != "good":
            waiting[masked] = about[text]
    return waiting


def _calls(model: str, waiting: Mapping[str, str], most: int) -> Iterator[EmbeddingCall]:
    """Calls of at most `most` texts each, and of no more bytes than the provider takes."""
    part: list[tuple[str, str]] = []
    filled = 0
    for text, about in waiting.items():
        length = len(text.encode())
        if part and (len(part) >= most or filled + length > EMBEDDINGS.most_bytes):
            yield _call(model, part)
            part, filled = [], 0
        part.append((text, about))
        filled += length
    if part:
        yield _call(model, part)


def _call(model: str, part: Sequence[tuple[str, str]]) -> EmbeddingCall:
    texts, about = zip(*part, strict=True)
    return EmbeddingCall(model, texts, about)


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
