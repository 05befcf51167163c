from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from argot import Retriever
from argot.feedback.journal import read_feedback
from argot.serving.server.server_settings import ServerSettings
from tests.support.serving import opened


@pytest.mark.parametrize("mode", [None, "hybrid", "bm25", "dense", "tokens"])
def test_search_gives_what_the_library_gives(
    client: TestClient, release: Path, mode: str | None
) -> None:
    reply = client.post("/search", json={"query": "error E-17", "k": 5, "mode": mode}).json()
    expected = Retriever.load(release, device="cpu").search("error E-17", 5, mode)  # type: ignore[arg-type]
    assert [one["id"] for one in reply["passages"]] == [one.id for one in expected]
    assert reply["mode"] == (mode or "hybrid")
    assert reply["notice"] == ""
    for found, wanted in zip(reply["passages"], expected, strict=True):
        known = {key: value for key, value in asdict(wanted).items() if key != "url"}
        assert found.pop("score") == pytest.approx(known.pop("score"))
        assert {key: found[key] for key in known} == known


def test_filter_keeps_documents_with_that_metadata(client: TestClient) -> None:
    found = client.post("/search", json={"query": "pump", "filter": {"year": 2026}}).json()[
        "passages"
    ]
    assert {one["metadata"]["year"] for one in found} == {2026}


def test_a_filter_that_nothing_passes_is_told(client: TestClient) -> None:
    reply = client.post("/search", json={"query": "pump", "filter": {"year": 2024}}).json()
    assert not reply["passages"]
    assert reply["notice"] == "no document has year=2024; known are: 2025, 2026"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_query_longer_than_the_models_window_is_answered_with_a_notice(
    client: TestClient, release: Path
) -> None:
    window = Retriever.load(release, device="cpu").embedder.max_tokens
    short, long, by_words = (
        client.post("/search", json={"query": query, "mode": mode}).json()
        for query, mode in (
            ("pump " * (window // 2), "dense"),
            ("pump " * window, "dense"),
            ("pump " * window, "bm25"),
        )
    )
    assert short["notice"] == by_words["notice"] == ""
    tokens = window + 4  # [CLS], [SEP], and the prompt's two
    assert long["notice"] == (
        f"the model read only the first {window} of the query's {tokens} tokens"
    )
    assert long["passages"]


def test_explain_tells_the_words_that_matched(client: TestClient) -> None:
    asked = {"query": "are pumps rattling", "explain": True, "mode": "bm25"}
    best = client.post("/search", json=asked).json()["passages"][0]
    assert best["document"] == "pumps/noise.md"
    assert best["matched"] == ["pump", "pumps", "rattling"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "query"),
        ({"query": "   "}, "query"),
        ({"query": "x" * 2001}, "at most 2000 characters"),
        ({"query": "pump", "k": 0}, "k"),
        ({"query": "pump", "k": 101}, "at most 100"),
        ({"query": "pump", "mode": "fused"}, "mode"),
        ({"query": "pump", "filter": {"year": [1]}}, "filter.year"),
        ({"query": "pump", "limit": 3}, "limit"),
    ],
)
def test_what_is_wrong_with_a_request_is_told(
    client: TestClient, asked: dict[str, object], told: str
) -> None:
    reply = client.post("/search", json=asked)
    assert reply.status_code == 422
    assert told in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b'{"query": ' + b"[" * 9000, b"\xff\xfe", rb'{"query": "\ud800 pump"}'),
        *(
            rb'{"query": "pump", "filter": {"\ud800": 1}}',
            rb'{"query": "pump", "filter": {"year": "\ud800"}}',
            rb'{"query": "pump", "mode": "\ud800"}',
        ),
    ],
)
def test_a_body_that_is_no_json_is_the_askers_fault(client: TestClient, body: bytes) -> None:
    reply = client.post("/search", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422)
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize("keep", [True, False])
def test_questions_are_kept_unless_told_otherwise(settings: ServerSettings, keep: bool) -> None:
    with opened(replace(settings, keep_questions=keep)) as client:
        client.post("/search", json={"query": "when are wages paid"})
    kept = [
        (record.kind, record.query, record.mode) for record in read_feedback(settings.feedback)[0]
    ]
    assert kept == ([("asked", "when are wages paid", "hybrid")] if keep else [])


def test_a_result_leads_to_the_servers_view_of_its_document(client: TestClient) -> None:
    best = client.get("/search", params={"q": "error E-17", "k": 1}).json()["passages"][0]
    assert best["url"] == "/read?document=pumps%2Fnoise.md&passage=pumps%2Fnoise.md%231"


def test_get_finds_what_post_finds(client: TestClient) -> None:
    asked = {"k": 3, "mode": "bm25"}
    by_post = client.post("/search", json={"query": "pump seal", **asked}).json()
    assert client.get("/search", params={"q": "pump seal", **asked}).json() == by_post


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "q: "),
        ({"q": " "}, "q: "),
        ({"q": "pump", "k": "many"}, "k: "),
        ({"q": "pump", "k": 101}, "at most 100"),
        ({"q": "pump", "mode": "fused"}, "mode must be one of"),
        ({"q": "pump", "top": 3}, "top: "),
        ({"q": "x" * 2001}, "at most 2000 characters"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(
    client: TestClient, asked: dict[str, str], told: str
) -> None:
    reply = client.get("/search", params=asked)
    assert reply.status_code == 422
    assert told in reply.json()["error"]["message"]


@pytest.mark.parametrize("mode", [None, "bm25"])
def test_several_questions_are_answered_in_their_order(
    client: TestClient, settings: ServerSettings, mode: str | None
) -> None:
    queries = ["error E-17", "when are wages paid", "error E-17"]
    options = {"k": 2, "mode": mode}
    replies = client.post("/search/batch", json={"queries": queries, **options}).json()["replies"]
    assert not read_feedback(settings.feedback)[0]
    for query, reply in zip(queries, replies, strict=True):
        alone = client.post("/search", json={"query": query, **options}).json()
        assert [one["id"] for one in reply["passages"]] == [one["id"] for one in alone["passages"]]
        assert reply["query"] == query


@pytest.mark.parametrize("queries", [[], ["pump", " "], ["pump"] * 65, "pump"])
def test_a_batch_has_limits(client: TestClient, queries: object) -> None:
    assert client.post("/search/batch", json={"queries": queries}).status_code == 422
