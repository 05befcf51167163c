from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from argot.serving.server.guard import HEADERS
from argot.serving.server.server_settings import RequestLimits, ServerSettings
from tests.support.serving import opened


@pytest.fixture
def locked(settings: ServerSettings) -> Iterator[TestClient]:
    with opened(
        replace(
            settings, api_key="sésame", hosts=("testserver",), limits=RequestLimits(body_bytes=2000)
        )
    ) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/search", "/nowhere", "/openapi.json"])
def test_every_reply_carries_the_headers(client: TestClient, path: str) -> None:
    carried = client.get(path).headers
    assert {name: carried.get(name) for name in HEADERS} == HEADERS


def test_no_other_origin_may_read_or_write(client: TestClient) -> None:
    asked = {"query": "pump"}
    reply = client.post("/search", json=asked, headers={"Origin": "https://elsewhere.example"})
    assert reply.status_code == 403
    assert (
        "access-control-allow-origin"
        not in client.get("/about", headers={"Origin": "https://e.example"}).headers
    )
    assert (
        client.post("/search", json=asked, headers={"Origin": "http://testserver"}).status_code
        == 200
    )
    assert (
        client.post("/search", content='{"query": "pump"}').status_code == 422
    )  # text/plain needs no preflight


def test_key_opens_all_but_the_page_and_the_probes(locked: TestClient) -> None:
    for path in ("/", "/page/page.js", "/healthz", "/readyz"):
        assert locked.get(path).status_code == 200
    for path in ("/about", "/metrics", "/openapi.json", "/v1/models", "/PAGE/x"):
        assert locked.get(path).status_code == 401
    key = "sésame".encode()
    assert locked.get("/about", headers={"Authorization": b"Bearer " + key}).status_code == 200
    assert locked.get("/about", headers={"X-API-Key": key}).status_code == 200
    assert (
        locked.get("/about", headers={"Authorization": b"Bearer " + key + b"s"}).status_code == 401
    )


def test_another_host_name_is_refused(locked: TestClient) -> None:
    assert locked.get("/healthz", headers={"Host": "rebound.example"}).status_code == 421


@pytest.mark.parametrize("told", [True, False])
def test_a_long_body_is_refused_with_and_without_its_length(locked: TestClient, told: bool) -> None:
    body = b'{"query": "' + b"x" * 3000 + b'"}'
    content = body if told else iter([body[:1500], body[1500:]])
    headers = {"X-API-Key": "sésame".encode(), "Content-Type": "application/json"}
    reply = locked.post("/search", content=content, headers=headers)
    assert reply.status_code == 413
    assert "at most 2000 bytes" in reply.json()["error"]["message"]


def test_too_many_at_once_are_told_to_come_back(settings: ServerSettings) -> None:
    with opened(replace(settings, limits=RequestLimits(concurrency=0))) as client:
        reply = client.post("/search", json={"query": "pump"})
        assert reply.status_code == 503
        assert reply.headers["Retry-After"] == "1"
        assert client.get("/healthz").status_code == 200


def test_metrics_count_by_route_and_never_by_what_is_asked(client: TestClient) -> None:
    client.post("/search", json={"query": "rotor"})
    client.get("/secret-path")
    page = client.get("/metrics").text
    assert 'argot_requests_total{route="/search",status="200"} 1.0' in page
    assert re.search(r'argot_requests_total\{route="other",status="404"\} 1\.0', page)
    assert "process_resident_memory_bytes" in page
    assert "rotor" not in page
    assert "secret" not in page
