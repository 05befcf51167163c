"""Real clients against a local server of both wire formats that misbehaves."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from typing import Any

import pytest

from argot.errors import ParamsError, ProviderError
from argot.llm.calls import batched, concurrent
from argot.llm.calls.budget import Budget
from argot.llm.calls.completions import completions, estimate
from argot.llm.calls.store import OPEN, Store
from tests.argot.llm.calls.test_request import stored_requests
from tools.tiny.calls import PROVIDERS, machine, requests, spend
from tools.tiny.provider import KEY, serving

both = pytest.mark.parametrize("provider", PROVIDERS)
ways = pytest.mark.parametrize("batch", [False, True], ids=["live", "batch"])


@both
@ways
def test_every_request_gets_its_reply_and_is_paid_once(provider: str, batch: bool) -> None:
    asked = requests(provider, 9)
    with serving() as server:
        found = completions(
            asked, machine(server.url, provider, batch_requests=4), spend(batch=batch)
        )
        again = completions(asked, machine(server.url, provider), spend(batch=batch))
    assert found == again
    assert [len(found[request.key]) for request in asked] == [1] * 9
    assert all(json.loads(found[request.key][0].content)["queries"] for request in asked)
    assert set(server.provider.paid.values()) == {1}
    assert len(server.provider.paid) == 9


@both
@ways
def test_live_and_batch_give_the_same_answers_and_batch_costs_half(
    provider: str, batch: bool
) -> None:
    with serving() as server:
        first = completions(
            requests(provider, 3), machine(server.url, provider), spend(batch=batch)
        )
    with serving() as server, Store() as store:
        pass
    alive = [tries[0] for tries in first.values()]
    full = [(reply.tokens_in * 1.0 + reply.tokens_out * 2.0) / 1e6 for reply in alive]
    assert [reply.usd for reply in alive] == pytest.approx(
        [usd / 2 if batch else usd for usd in full]
    )
    assert len(list(store)) == 3


@both
@pytest.mark.parametrize(
    "fault", [429, 500, 529, "cut", "hang", "broken json", "malformed", "empty"]
)
def test_what_passes_is_tried_again(provider: str, fault: Any) -> None:
    asked = requests(provider, 6)
    with serving(script={"number2": [fault], "number4": [fault]}) as server:
        found = completions(asked, machine(server.url, provider, timeout_seconds=0.7), spend())
    assert [found[request.key][-1].status for request in asked] == ["good"] * 6


def statuses() -> Counter[str]:
    with Store() as store:
        return Counter(reply.status for reply in store)


@both
@pytest.mark.parametrize(
    ("fault", "lost"),
    [(429, 0), (500, 0), (529, 0), ("cut", 1), ("hang", 1), ("gateway", 1)],
)
def test_a_call_without_an_answer_counts_at_its_most(provider: str, fault: Any, lost: int) -> None:
    [asked] = requests(provider, 1)
    with serving(script={"calls": [fault]}) as server:
        found = completions([asked], machine(server.url, provider, timeout_seconds=0.7), spend())
    [*before, last] = found[asked.key]
    most = Budget(spend(), 0.0).most([asked])
    assert [reply.status for reply in before] == ["lost"] * lost
    assert [reply.usd for reply in before] == pytest.approx([most] * lost)
    assert last.status == "good"


@both
@pytest.mark.parametrize(
    "kind", ["queries", pytest.param("queries and judgments", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("fault", ["hang", "gateway", "broken json", "drip", "uncounted"])
def test_the_limit_holds_whatever_is_billed_and_never_answered(
    provider: str, fault: str, kind: str
) -> None:
    asked = requests(provider, 30) if kind == "queries" else stored_requests(provider)
    most = max(Budget(spend(), 0.0).most([request]) for request in asked)
    tight = spend(max_usd=9.5 * most)
    with serving(shares={fault: 1.0}, hang=0.9) as server:
        at = machine(server.url, provider, timeout_seconds=0.4, retries=2, concurrency=8)
        for _ in range(2):  # what the first run has lost counts in the second, too
            with contextlib.suppress(ProviderError):
                completions(asked, at, tight)
        while server.provider.busy:
            time.sleep(0.02)
    tries = sum(server.provider.paid.values())
    assert tries > 2
    with Store() as store:
        counted = sum(reply.usd for reply in store)
        assert len(list(store)) >= tries
    least = min(Budget(spend(), 0.0).most([request]) for request in asked)
    assert tries * least <= counted <= tight.max_usd


@both
def test_what_was_never_sent_costs_nothing(provider: str) -> None:
    at = machine("http://127.0.0.1:9", provider, retries=1)
    with pytest.raises(ProviderError, match="Connection"):
        completions(requests(provider, 3), at, spend())
    assert statuses() == {}


@both
@ways
def test_an_answer_whose_tokens_nobody_counts_is_paid_at_its_most(
    provider: str, batch: bool
) -> None:
    [asked] = requests(provider, 1)
    with serving(script={"calls": ["uncounted"]}) as server:
        found = completions([asked], machine(server.url, provider), spend(batch=batch))
    [reply] = found[asked.key]
    assert reply.status == "good"
    assert reply.usd == pytest.approx(Budget(spend(), 0.0).most([asked], batch=batch))


@both
def test_a_batch_whose_creation_answers_too_late_is_paid_once(provider: str) -> None:
    asked = requests(provider, 5)
    with serving(create_seconds=0.8) as server:
        at = machine(server.url, provider, timeout_seconds=0.3, retries=0)
        tight = spend(batch=True, max_usd=Budget(spend(), 0.0).most(asked, batch=True))
        with pytest.raises(ProviderError, match="didn't answer within 0.3 s"):
            completions(asked, at, tight)
        found = completions(asked, at, tight)
    assert len(server.provider.batches) == 1
    assert all(found[request.key][-1].status == "good" for request in asked)
    assert set(server.provider.paid.values()) == {1}


def test_a_batch_that_was_given_up_does_not_end_the_next_run_too() -> None:
    asked = requests("openai", 2)
    with serving(batch_end="failed") as server:
        at = machine(server.url, "openai")
        with pytest.raises(ProviderError, match="gave up batch"):
            completions(asked, at, spend(batch=True))
        server.provider.plan.pop("batch_end")
        found = completions(asked, at, spend(batch=True))
    assert all(found[request.key][-1].status == "good" for request in asked)
    assert len(server.provider.batches) == 2  # the first one is not waited for again


@both
@ways
@pytest.mark.parametrize(
    "url", ["ftp://u:geheim77@h/v1", "http://[", "localhost:9", "http://u:geheim77@h:99999999/v1"]
)
def test_a_base_url_that_is_none_ends_the_run_in_one_line(
    provider: str, batch: bool, url: str
) -> None:
    at = machine("", provider, base_url=url, retries=0)
    with pytest.raises(ProviderError) as error:
        completions(requests(provider, 1), at, spend(batch=batch))
    assert "geheim77" not in str(error.value) and "\n" not in str(error.value)
    assert statuses() == {}


@both
@ways
@pytest.mark.parametrize("key", ["sk-ключ", "sk-a\nb"])
def test_a_key_of_strange_characters_ends_the_run_in_one_line(
    provider: str, batch: bool, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", key)
    with serving() as server, pytest.raises(ProviderError, match="characters that no key has"):
        completions(requests(provider, 1), machine(server.url, provider), spend(batch=batch))


@both
def test_the_wait_that_the_provider_asks_for_is_kept(provider: str) -> None:
    with serving(script={"number0": [429]}, retry_after=1) as server:
        started = time.monotonic()
        completions(requests(provider, 1), machine(server.url, provider), spend())
    assert time.monotonic() - started >= 1.0


@both
def test_a_dripping_server_does_not_hold_the_run(provider: str) -> None:
    with serving(script={"number0": ["drip"]}) as server:
        started = time.monotonic()
        found = completions(
            requests(provider, 1),
            machine(server.url, provider, timeout_seconds=0.4, retries=0),
            spend(),
        )
    assert time.monotonic() - started < 5
    assert len(found) == 1


@both
@ways
def test_refused_and_hopeless_requests_are_settled_and_not_asked_again(
    provider: str, batch: bool
) -> None:
    asked = requests(provider, 3)
    with serving(script={"number0": ["refused"], "number1": ["malformed"] * 9}) as server:
        found = completions(asked, machine(server.url, provider), spend(batch=batch))
        completions(asked, machine(server.url, provider), spend(batch=batch))
    assert [[reply.status for reply in found[request.key]] for request in asked] == [
        ["refused"],
        ["malformed"] * 3,
        ["good"],
    ]
    assert sum(server.provider.paid.values()) == 5


def test_a_request_flagged_for_its_content_is_refused_and_the_others_go_on() -> None:
    asked = requests("openai", 3)
    with serving(script={"number1": ["policy"]}) as server:
        found = completions(asked, machine(server.url, "openai"), spend())
    assert [found[request.key][-1].status for request in asked] == ["good", "refused", "good"]


@both
@ways
def test_a_wrong_key_ends_the_run_and_stands_in_no_message(
    provider: str, batch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "sk-wrong-9876543210")
    with (
        serving() as server,
        pytest.raises(ProviderError, match=rf"{provider} refused the key in \w+_API_KEY") as error,
    ):
        completions(requests(provider, 50), machine(server.url, provider), spend(batch=batch))
    assert "sk-wrong" not in str(error.value)


@both
def test_without_a_key_the_variable_is_named(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"{provider.upper()}_API_KEY")
    with pytest.raises(ProviderError, match=f"set {provider.upper()}_API_KEY in the environment"):
        completions(requests(provider, 1), machine("", provider, base_url=""), spend())


@both
def test_an_error_that_repeats_the_key_is_scrubbed(provider: str) -> None:
    with serving(script={"number0": [400]}) as server, pytest.raises(ProviderError) as error:
        completions(requests(provider, 1), machine(server.url, provider), spend())
    assert "status 400" in str(error.value)
    assert KEY not in str(error.value)


@both
def test_a_provider_that_is_down_is_left_alone(provider: str) -> None:
    with (
        serving(shares={500: 1.0}) as server,
        pytest.raises(ProviderError, match="in a row failed"),
    ):
        completions(requests(provider, 200), machine(server.url, provider, retries=0), spend())
    assert len(server.provider.calls) <= concurrent.MOST_FAILURES + 4


@both
def test_what_stays_without_answer_is_an_error_and_the_rest_is_kept(provider: str) -> None:
    with serving(script={"number1": [500] * 99}) as server:
        with pytest.raises(ProviderError, match="1 of 4 requests got no answer"):
            completions(requests(provider, 4), machine(server.url, provider, retries=0), spend())
        server.provider.faults.clear()
        completions(requests(provider, 4), machine(server.url, provider), spend())
    assert set(server.provider.paid.values()) == {1}


@both
@ways
def test_the_limit_stops_before_the_call_that_could_exceed_it(provider: str, batch: bool) -> None:
    asked = requests(provider, 60)
    with serving() as server:
        tight = spend(batch=batch, max_usd=0.005)
        with pytest.raises(
            ProviderError, match=r"spend\.max_usd: the next call may cost .* raise spend\.max_usd"
        ):
            completions(asked, machine(server.url, provider, batch_requests=5), tight)
        with Store() as store:
            paid = list(store)
        assert 0 < len(paid) < 60
        assert sum(reply.usd for reply in paid) <= 0.005
        completions(asked, machine(server.url, provider), spend(batch=batch))
    assert set(server.provider.paid.values()) == {1}


def test_a_model_without_a_price_is_not_asked() -> None:
    with serving() as server, pytest.raises(ParamsError, match=r"spend\.prices: no price for 'm'"):
        completions(requests("openai", 1), machine(server.url, "openai"), spend(prices={}))
    assert server.provider.calls == []


@both
def test_no_more_calls_at_once_than_allowed(provider: str) -> None:
    with serving(seconds=0.02) as server:
        completions(requests(provider, 40), machine(server.url, provider, concurrency=5), spend())
    assert 1 < server.provider.most_busy <= 5


@both
def test_failed_requests_of_a_batch_go_into_the_next(provider: str) -> None:
    asked = requests(provider, 6)
    with serving(script={"number3": [500], "number5": ["malformed"]}) as server:
        found = completions(asked, machine(server.url, provider), spend(batch=True))
    assert [found[request.key][-1].status for request in asked] == ["good"] * 6
    assert len(server.provider.batches) == 2
    assert list((OPEN / "batches").glob("*")) == []


def test_a_batch_that_expired_gives_what_it_has() -> None:
    asked = requests("openai", 4)
    with serving(batch_end="expired", script={"number0": [408]}) as server:
        found = completions(asked, machine(server.url, "openai"), spend(batch=True))
    assert all(found[request.key][-1].status == "good" for request in asked)
    assert set(server.provider.paid.values()) == {1}


@both
def test_a_batch_whose_id_was_never_recorded_is_adopted(provider: str) -> None:
    asked = requests(provider, 5)
    with serving(lose_created_batch=True) as server:
        with pytest.raises(ProviderError, match="Connection"):
            completions(asked, machine(server.url, provider, retries=0), spend(batch=True))
        assert len(list((OPEN / "batches").glob("*"))) == 1
        found = completions(asked, machine(server.url, provider), spend(batch=True))
    assert len(server.provider.batches) == 1
    assert set(server.provider.paid.values()) == {1}
    assert all(found[request.key] for request in asked)


@both
def test_a_batch_under_way_is_waited_for_even_when_calls_are_live_now(provider: str) -> None:
    asked = requests(provider, 5)
    with serving(lose_created_batch=True) as server:
        with pytest.raises(ProviderError):
            completions(asked, machine(server.url, provider, retries=0), spend(batch=True))
        completions([*asked, *requests(provider, 8)], machine(server.url, provider), spend())
    assert set(server.provider.paid.values()) == {1}
    assert len(server.provider.paid) == 8


@both
def test_a_busy_provider_is_asked_again_for_the_batch(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched, "WAITS", (0.01, 0.01, 0.01))
    with serving(script={"create": [429, 529]}) as server:
        completions(requests(provider, 5), machine(server.url, provider), spend(batch=True))
    assert len(server.provider.batches) == 1


def test_an_estimate_spends_nothing_and_learns_from_replies() -> None:
    asked = requests("openai", 20)
    with Store() as store:
        blind = estimate(asked, store, spend(), 120)
    assert (blind.requests, blind.there, blind.measured) == (20, 0, False)
    assert blind.tokens_out == 20 * 120
    assert blind.tokens_in == round(sum(request.letters for request in asked) / 4)
    with serving() as server:
        completions(asked[:10], machine(server.url, "openai"), spend())
        with Store() as store:
            taught = estimate(asked, store, spend(), 120)
            before = sum(reply.usd for reply in store)
        completions(asked, machine(server.url, "openai"), spend())
    with Store() as store:
        cost = sum(reply.usd for reply in store) - before
    assert (taught.there, taught.measured) == (10, True)
    assert taught.usd == pytest.approx(cost, rel=0.1)
