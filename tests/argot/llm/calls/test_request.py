from __future__ import annotations

from typing import Any

import pytest

from argot.llm.calls.request import Answer, Request, read_answer
from tools.tiny.calls import PROVIDERS, SCHEMA
from tools.tiny.provider import completion


def request(provider: Any, **changed: Any) -> Request:
    fields: dict[str, Any] = {
        "model": "m",
        "system": "s",
        "user": "<passage>a</passage>\nWrite 1 queries: 1 short.",
        "schema": SCHEMA,
        "max_tokens": 9,
    }
    return Request(provider, **{**fields, **changed})


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


def test_sampling_goes_where_the_provider_wants_it() -> None:
    sampling = {"temperature": 0.5, "effort": "low"}
    assert request("openai", sampling=sampling).body["effort"] == "low"
    body = request("anthropic", sampling=sampling).body
    assert body["temperature"] == 0.5
    assert body["output_config"] == {
        "format": {"type": "json_schema", "schema": SCHEMA},
        "effort": "low",
    }


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (None, "good"),
        ("refused", "refused"),
        ("malformed", "malformed"),
        ("empty", "malformed"),
        ("long", "malformed"),
    ],
)
def test_each_way_to_end_is_told_apart(provider: str, fault: str | None, status: str) -> None:
    found = read_answer(provider, completion(request(provider).body, fault))  # type: ignore[arg-type]
    assert found.status == status
    assert found.tokens_in > 0


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"choices": []}, {"content": [{}]}, {"choices": [{"message": None}]}, "x"],
)
def test_a_response_of_another_form_is_malformed(provider: str, body: Any) -> None:
    assert read_answer(provider, body) == Answer("malformed", "", 0, 0)  # type: ignore[arg-type]


def test_the_bound_on_tokens_counts_every_byte() -> None:
    long = request("openai", user="ä" * 1000)
    assert long.most_tokens_in > 2000
