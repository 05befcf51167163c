"""Vectors by a managed model: the real client, a local server, and what was really paid."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from argot.errors import ParamsError, ProviderError
from argot.evaluation.managed import EmbeddingCall, MachineCompare, _calls, bought, reply_key
from argot.llm.calls.settings import MachineLlm, Price, SpendSettings
from argot.llm.calls.store import REPLIES, Store
from tools.tiny.provider import KEY, embedding, serving

MODEL = "text-embedding-3-small"
TEXTS = {f"passage number {at}": f"chunk{at}" for at in range(100)}
MACHINE = MachineLlm(
    base_url="", concurrency=4, timeout_seconds=2.0, retries=1, poll_seconds=0.05, batch_requests=10
)


def buy(url: str, texts: dict[str, str] = TEXTS, model: str = MODEL, max_usd: float = 1.0) -> Any:
    spend = SpendSettings(
        batch=False,
        max_usd=max_usd,
        batch_discount=0.5,
        prices_as_of="",
        prices={MODEL: Price(input=1.0, output=0.0)},
    )
    return bought(
        model,
        texts,
        {},
        MACHINE,
        MachineCompare(base_url=f"{url}/v1" if url else "", texts=16),
        spend,
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def paid_by_store() -> float:
    with Store() as store:
        return sum(reply.usd for reply in store)


def test_each_text_has_the_vector_that_the_server_made_of_it() -> None:
    with serving() as server:
        vectors, paid = buy(server.url)
    expected = np.array([embedding(text) for text in TEXTS])
    assert np.allclose(
        vectors.of(list(TEXTS)),
        expected / np.linalg.norm(expected, axis=1, keepdims=True),
        atol=1e-6,
    )
    tokens = sum(sum(map(len, call["input"])) // 4 for call in server.provider.calls)
    assert len(server.provider.calls) == 7
    assert (
        paid.figures()["tokens_in"] == tokens
    )  # counted for a call, shared out among its texts, none lost
    assert paid_by_store() == pytest.approx(tokens / 1e6)


def test_what_is_there_is_not_asked_again_and_needs_neither_key_nor_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving() as server:
        first, _ = buy(server.url)
        buy(server.url, {**TEXTS, "one more": "chunk0"})
        assert server.provider.calls[7:] == [
            {"model": MODEL, "input": ["one more"], "encoding_format": "float"}
        ]
    monkeypatch.delenv("OPENAI_API_KEY")
    again, _ = buy("")
    assert np.array_equal(again.of(list(TEXTS)), first.of(list(TEXTS)))


def test_a_vector_paid_before_is_found_by_its_key() -> None:
    # The name under which this vector was stored in November 2026.
    assert reply_key(MODEL, "The rotor is stuck.") == "f421de6102d5fb3d6684d830c0dfef57"


def test_two_texts_that_are_one_when_masked_are_paid_once() -> None:
    with serving() as server:
        vectors, paid = buy(server.url, {"ask jan@example.org": "a", "ask eve@example.org": "b"})
        assert [call["input"] for call in server.provider.calls] == [["ask [email]"]]
    assert paid.figures()["replies"] == 1
    assert np.array_equal(vectors.of(["ask jan@example.org"]), vectors.of(["ask eve@example.org"]))


def test_keys_and_addresses_stay_here() -> None:
    with serving() as server:
        buy(server.url, {"write to jan@example.org or use sk-live-abcdefghijklmnop1234": "a"})
        sent = json.dumps(server.provider.calls)
    assert "jan@" not in sent and "sk-live" not in sent and KEY not in sent
    assert KEY.encode() not in b"".join(path.read_bytes() for path in REPLIES.iterdir())


def test_no_call_passes_the_limit_and_what_was_paid_is_kept() -> None:
    with serving() as server:
        with pytest.raises(ProviderError, match=r"spend\.max_usd"):
            buy(server.url, max_usd=0.001)
        made = len(server.provider.calls)
        assert 0 < made < 7 and paid_by_store() <= 0.001
        buy(server.url)
        assert len(server.provider.calls) == 7


@pytest.mark.parametrize("fault", ["hang", "gateway", "broken json", "drip", "uncounted"])
def test_the_limit_holds_whatever_is_billed_and_never_answered(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = MACHINE.model_copy(update={"timeout_seconds": 0.4, "retries": 4})
    monkeypatch.setattr("tests.argot.evaluation.test_managed.MACHINE", hasty)
    with serving(shares={fault: 1.0}, hang=0.9) as server:
        for _ in range(2):  # what the first run has lost counts in the second, too
            with contextlib.suppress(ProviderError):
                buy(server.url, max_usd=0.0025)
        while server.provider.busy:
            time.sleep(0.02)
        # A server may bill a token for each byte.
        least = min(sum(map(len, call["input"])) for call in server.provider.calls)
        tries = sum(server.provider.paid.values())
    assert tries > 1
    assert tries * least / 1e6 <= paid_by_store() <= 0.0025


def test_a_model_without_a_price_is_not_asked() -> None:
    with serving() as server, pytest.raises(ParamsError, match=r"no price for 'unheard-of'"):
        buy(server.url, model="unheard-of")
    assert server.provider.calls == []


@pytest.mark.parametrize("fault", [429, 500, "cut", "malformed", "broken json", "hang"])
def test_what_went_wrong_is_asked_again(fault: Any) -> None:
    with serving(script={"calls": [fault]}, hang=3.0) as server:
        vectors, _ = buy(server.url)
    assert vectors.of(list(TEXTS)).shape == (100, 32)


def test_vectors_that_never_come_right_end_the_run_in_one_line() -> None:
    with serving(shares={"malformed": 1.0}) as server:
        with pytest.raises(
            ProviderError, match=r"100 texts got no vector by text-embedding-3-small in 3 rounds"
        ):
            buy(server.url)
        assert len(server.provider.calls) == 21
    assert paid_by_store() > 0  # malformed answers are paid like others


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "refused the key"), (404, "check the model"), (400, "BadRequestError")],
)
def test_what_no_other_call_would_change_ends_the_run_at_once(status: int, message: str) -> None:
    with (
        serving(script={"calls": [status] * 9}) as server,
        pytest.raises(ProviderError, match=message) as error,
    ):
        buy(server.url)
    assert KEY not in str(error.value)
    assert len(server.provider.calls) <= 4


def test_calls_hold_no_more_texts_nor_bytes_than_a_provider_takes() -> None:
    long = {"x" * 200_000 + str(at): "" for at in range(3)}
    assert [len(call.texts) for call in _calls(MODEL, long, 128)] == [1, 1, 1]
    assert [len(call.texts) for call in _calls(MODEL, TEXTS, 30)] == [30, 30, 30, 10]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": []},
        {"data": [{"index": 0, "embedding": [0.0, 0.0]}]},
        {"data": [{"index": 0, "embedding": [1.0, float("nan")]}]},
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]},
        {"data": None, "usage": None},
        [],
    ],
)
def test_what_is_no_vector_is_malformed(body: Any) -> None:
    assert EmbeddingCall(MODEL, ("a",), ("b",)).read(body).status == "malformed"
