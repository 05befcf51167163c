from __future__ import annotations

import json
from typing import Any

import pytest

from argot.llm.calls.completions import completions
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings
from argot.llm.calls.store import REPLIES
from argot.llm.judging.judge import judge_request, negatives_request
from argot.llm.providers.base import Prompt
from argot.queries.wording import query_request
from tools.tiny.calls import PROVIDERS, SCHEMA, machine, spend

# The keys under which replies to these requests were stored when they were first paid (November
# 2026). A change of any of them makes every team pay for all its replies again.
SAMPLING: dict[str, dict[str, Any]] = {
    "openai": {"reasoning_effort": "low"},
    "anthropic": {"temperature": 0.5, "effort": "low"},
}
STORED_KEYS = {
    "openai": (
        "1c2bf0dcae4f63c3afeb78e8241db48b",
        "8f92c3d31374222ad79c485bc17233d2",
        "d8ae6b506d2857addfdb0444ce37671c",
    ),
    "anthropic": (
        "655ce30d4702898174ebf330ba43a15c",
        "935d9491b5a1db46e98400f06472851d",
        "57b60481205c9f97295403fb273f7c57",
    ),
}


def request(provider: Any, about: str = "", **changed: Any) -> Request:
    fields: dict[str, Any] = {
        "model": "m",
        "system": "s",
        "user": "<passage>a</passage>\nWrite 1 queries: 1 short.",
        "schema": SCHEMA,
        "max_tokens": 9,
    }
    return Request(provider, Prompt(**{**fields, **changed}), about)


def stored_requests(provider: str) -> list[Request]:
    settings = LlmSettings(
        provider=provider,
        model="m",
        sampling=SAMPLING[provider],
        max_tokens=100,
        queries_per_chunk=4,
        types={"question": 0.5, "short": 0.25, "keywords": 0.25},
        examples=2,
        redact=True,
        judge=0,
    )
    text = "Error E-17 means the rotor is stuck. Mail jan@example.org."
    passages = [("Pumps", "The rotor."), ("", "Wages.")]
    return [
        query_request("Pumps", text, "c1", ["who fixes pumps?"], settings),
        judge_request(
            "Pumps", "The rotor is stuck.", "c1", ["what is E-17?", "stuck rotor"], settings
        ),
        negatives_request("what is E-17?", passages, "c1", settings),
    ]


@pytest.mark.parametrize("provider", STORED_KEYS)
def test_replies_paid_before_are_found_and_need_neither_key_nor_network(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"{provider.upper()}_API_KEY")
    reply = {
        "attempt": 0, "provider": provider, "model": "m", "prompt": "p", "about": "c1",
        "status": "good", "content": "{}", "tokens_in": 9, "tokens_out": 2, "usd": 0.000001,
        "batch": False,
    }  # fmt: skip
    REPLIES.mkdir(parents=True)
    lines = [json.dumps({**reply, "key": key}) for key in STORED_KEYS[provider]]
    (REPLIES / "segment.jsonl").write_text("\n".join(lines) + "\n")
    found = completions(
        stored_requests(provider), machine("", provider, base_url=""), spend(max_usd=0.0)
    )
    assert [reply.key for tries in found.values() for reply in tries] == [*STORED_KEYS[provider]]


def test_every_provider_has_its_stored_keys_here() -> None:
    assert set(STORED_KEYS) == set(SAMPLING) == set(PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_key_is_of_what_the_provider_sees(
    provider: str,
) -> None:
    """What a request is about is not sent, so it must not pay for the reply again."""
    first = request(provider)
    assert first.key == request(provider, about="another chunk").key
    changes: list[dict[str, Any]] = [
        {"model": "n"},
        {"system": "t"},
        {"user": "u"},
        {"max_tokens": 8},
        {"sampling": {"top_p": 1}},
    ]
    assert len({first.key, *(request(provider, **change).key for change in changes)}) == 6


def test_the_bound_on_tokens_counts_every_byte() -> None:
    long = request("openai", user="ä" * 1000)
    assert long.most_tokens_in > 2000
