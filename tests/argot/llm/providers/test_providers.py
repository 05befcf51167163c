"""What every provider in the registry must do, and what only some do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import argot
from argot.errors import ProviderError
from argot.llm.calls.settings import LlmSettings
from argot.llm.providers.base import Endpoint, Outcome, Provider
from argot.llm.providers.registry import PROVIDERS, embedding_provider
from tests.argot.llm.calls.test_request import request
from tools.tiny.calls import SCHEMA
from tools.tiny.provider import KEY, completion

every = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
OWN = Endpoint("http://localhost:1", 5.0, 0)


class Failure(Exception):
    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


def test_no_other_module_of_argot_names_a_provider() -> None:
    home = Path(argot.__file__).parent
    own = home / "llm/providers"
    names = [f'"{name}"' for name in PROVIDERS]
    libraries = home / "core/extras.py"  # names of libraries, which are called as the providers are
    naming = [
        path.relative_to(home)
        for path in home.rglob("*.py")
        if own not in path.parents and any(name in path.read_text() for name in names)
    ]
    assert naming == [libraries.relative_to(home)]


@every
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
def test_each_way_to_end_has_its_status(provider: Provider, fault: str | None, status: str) -> None:
    found = provider.read(completion(request(provider.name).body, fault))
    assert found.status == status
    assert found.tokens_in > 0


@every
@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"choices": []}, {"content": [{}]}, {"choices": [{"message": None}]}, "x"],
)
def test_a_response_of_another_form_is_malformed(provider: Provider, body: Any) -> None:
    assert provider.read(body) == Outcome("malformed", "", 0, 0)


def test_sampling_goes_where_the_provider_wants_it() -> None:
    sampling = {"temperature": 0.5, "effort": "low"}
    assert request("openai", sampling=sampling).body["effort"] == "low"
    body = request("anthropic", sampling=sampling).body
    assert body["temperature"] == 0.5
    assert body["output_config"] == {
        "format": {"type": "json_schema", "schema": SCHEMA},
        "effort": "low",
    }


@every
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Failure("x", 401), "refused the key in {variable} (status 401); check it"),
        (Failure("x", 403), "refused the key in {variable} (status 403); check it"),
        (Failure("x", 404), "knows no such model or address (status 404); check the model's name"),
        (TimeoutError(), "didn't answer within 5 s"),
        (Failure(f"bad\nkey {KEY}", 500), "failed (Failure: bad key [key])"),
    ],
)
def test_an_error_is_one_line_without_the_key(
    provider: Provider, error: Exception, message: str
) -> None:
    line = str(provider.error(error, OWN))
    assert line.startswith(f"{provider.name} {message.format(variable=provider.key_variable)}")
    assert "\n" not in line and KEY not in line


@every
def test_without_a_key_the_word_none_stays_in_messages(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(provider.key_variable)
    assert "none of these" in str(provider.error(Failure("none of these"), OWN))


@every
def test_errors_of_our_own_code_are_not_blamed_on_the_provider(provider: Provider) -> None:
    with pytest.raises(ZeroDivisionError), provider.one_line_errors(OWN):
        _ = 1 / 0


@every
def test_a_key_is_needed_but_by_a_server_of_ones_own(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(provider.key_variable, " ")
    assert provider.key(OWN)
    with pytest.raises(ProviderError, match=f"set {provider.key_variable} in the environment"):
        provider.key(Endpoint("", 5.0, 0))


@every
def test_the_usual_model_of_a_chat_is_known_to_the_client(provider: Provider) -> None:
    from typing import get_args

    from anthropic.types import Model
    from openai.types.shared.chat_model import ChatModel

    known = {"anthropic": get_args(get_args(Model)[0]), "openai": get_args(ChatModel)}
    assert provider.chat_model in known[provider.name]


def test_an_unknown_provider_in_the_params_is_refused_with_the_names_of_all() -> None:
    fields: dict[str, Any] = {
        "model": "m", "sampling": {}, "max_tokens": 100, "queries_per_chunk": 4, "types": {},
        "examples": 2, "redact": True, "judge": 0,
    }  # fmt: skip
    assert not LlmSettings(provider="none", **fields).has_provider
    with pytest.raises(ValidationError, match="expected anthropic, openai or none"):
        LlmSettings(provider="antropic", **fields)


def test_embeddings_come_in_the_order_of_the_texts() -> None:
    _, embeddings = embedding_provider()
    body = {"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]}
    assert embeddings.vectors(body) == [[1.0], [2.0]]
