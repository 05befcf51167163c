from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from argot.serving.server.guard import HEADERS, OPEN
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


SITE = {"Origin": "https://intranet.example.com"}
ALLOWED = "access-control-allow-origin"


def test_pages_of_a_named_site_may_ask(settings: ServerSettings) -> None:
    given = replace(settings, origins=tuple(SITE.values()), api_key="sesame")
    wanted = {**SITE, "Access-Control-Request-Method": "POST"}
    wanted["Access-Control-Request-Headers"] = "x-api-key,content-type"
    with opened(given) as client:
        assert client.options("/search", headers=wanted).headers[ALLOWED] == SITE["Origin"]
        headers = {**SITE, "X-API-Key": "sesame"}
        reply = client.post("/search", json={"query": "pump"}, headers=headers)
        assert (reply.status_code, reply.headers[ALLOWED]) == (200, SITE["Origin"])
        assert client.post("/search", json={"query": "pump"}, headers=SITE).status_code == 401
        other = {"X-API-Key": "sesame", "Origin": "https://elsewhere.example"}
        assert client.post("/search", json={"query": "pump"}, headers=other).status_code == 403
        assert ALLOWED not in client.get("/about", headers=other).headers


@pytest.mark.parametrize("prefix", ["/kb", ""])  # a proxy that passes it on, and one that strips it
def test_a_sub_path_changes_addresses_and_no_right(settings: ServerSettings, prefix: str) -> None:
    with opened(replace(settings, root_path="/kb", api_key="sesame")) as client:
        for path in ("/", "/page/page.js", "/healthz", "/readyz", "/read"):
            assert client.get(prefix + path).status_code == 200
        for path in ("/about", "/search?q=pump", "/documents/pay.md", "/kb/about", "/metrics"):
            assert client.get(prefix + path).status_code == 401
        key = {"X-API-Key": "sesame"}
        found = client.get(f"{prefix}/search?q=pump", headers=key).json()["passages"][0]
        assert found["url"].startswith("/kb/read?document=pumps")
        servers = client.get(f"{prefix}/openapi.json", headers=key).json()["servers"]
        assert servers == [{"url": "/kb"}]


def test_a_line_tells_each_request_and_no_question(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        client.get("/search?q=secret+question&k=0")
        client.get("/healthz")
        client.get("/documents/no%0Asuch.md")
    one, two = (record for record in caplog.records if record.name == "argot.serving.access")
    assert re.fullmatch(r"testclient GET /search 422 [\d.]+ ms", one.getMessage())
    assert one.fields["status"] == 422
    assert two.getMessage().startswith("testclient GET /documents/no%0Asuch.md 404")


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


def test_another_host_name_is_refused_but_for_probes(locked: TestClient) -> None:
    key = {"X-API-Key": "sésame".encode()}
    for host in ("rebound.example", "rebound.example:8000", "127.0.0.1.rebound.example", ""):
        assert locked.get("/about", headers={"Host": host, **key}).status_code == 421
        assert locked.get("/metrics", headers={"Host": host, **key}).status_code == 421
        for probe in ("/healthz", "/readyz"):
            assert locked.get(probe, headers={"Host": host}).status_code == 200


def test_by_an_address_metrics_are_read_under_allow_host(locked: TestClient) -> None:
    key = {"X-API-Key": "sésame".encode()}
    for host in ("10.1.2.3:8000", "127.0.0.1", "[::1]:8000", "localhost:8000", "TESTSERVER"):
        assert locked.get("/metrics", headers={"Host": host, **key}).status_code == 200


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1.rebound.example:8000", "0x7f.1"])
def test_without_a_key_no_page_of_another_name_reads_the_documents(
    settings: ServerSettings, host: str
) -> None:
    """DNS rebinding: the page's name now leads to this server, and its origin is that name."""
    with opened(replace(settings, hosts=())) as client:
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert client.post("/search", json={"query": "pump"}, headers=headers).status_code == 421
        assert client.get("/about", headers=headers).status_code == 421
        headers = {"Host": "localhost:8000", "Origin": "http://localhost:8000"}
        assert client.post("/search", json={"query": "pump"}, headers=headers).status_code == 200


def test_with_a_key_and_no_names_any_name_is_answered_to(settings: ServerSettings) -> None:
    with opened(replace(settings, hosts=(), api_key="sesame")) as client:
        headers = {"Host": "argot.internal", "X-API-Key": "sesame"}
        assert client.get("/about", headers=headers).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "x-real-ip"])
def test_a_server_for_its_own_machine_refuses_what_a_proxy_sends_on(
    client: TestClient, settings: ServerSettings, header: str
) -> None:
    proxied = {"Host": "127.0.0.1:8000", header: "203.0.113.7"}
    assert client.post("/search", json={"query": "pump"}, headers=proxied).status_code == 403
    with opened(replace(settings, public=True)) as public:
        assert public.post("/search", json={"query": "pump"}, headers=proxied).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "bearer sesame"}, 200),
        ({"Authorization": "BEARER  sesame"}, 200),
        ({"Authorization": "Basic c2VzYW1lOg==", "X-API-Key": "sesame"}, 200),
        ({"Authorization": "Bearer wrong", "X-API-Key": "sesame"}, 200),
        ({"Authorization": "Bearer sesame", "X-API-Key": "wrong"}, 200),
        ({"Authorization": "sesame"}, 401),
        ({"Authorization": "Basic sesame"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"X-API-Key": ""}, 401),
        ({"X-API-Key": "Bearer sesame"}, 401),
        ({"X-API-Key": "Sesame"}, 401),
        ({"Authorization": "Bearer sesame extra"}, 401),
        ({}, 401),
    ],
)
def test_the_key_is_taken_from_either_header(
    settings: ServerSettings, headers: dict[str, str], status: int
) -> None:
    with opened(replace(settings, api_key="sesame")) as client:
        assert client.get("/about", headers=headers).status_code == status


def test_every_route_but_the_open_ones_asks_for_the_key(settings: ServerSettings) -> None:
    with opened(replace(settings, api_key="sesame", workbench=True)) as client:
        paths = client.get("/openapi.json", headers={"X-API-Key": "sesame"}).json()["paths"]
        assert {"/label", "/compare", "/search", "/metrics"} <= set(paths)
        for path in set(paths) - OPEN:
            for method in ("GET", "POST", "HEAD", "PUT"):
                assert client.request(method, path).status_code == 401
        schemes = client.get("/openapi.json", headers={"X-API-Key": "sesame"}).json()
        assert schemes["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_wrong_keys_are_logged_by_their_sender_and_never_themselves(
    settings: ServerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(replace(settings, api_key="sesame")) as client, caplog.at_level("WARNING"):
        client.get("/about")  # without a key: as every page begins
        assert not caplog.records
        for number in range(300):
            client.get("/about", headers={"X-API-Key": f"guess-{number}"})
    assert caplog.messages[0] == "wrong API key from testclient (1 since the last line)"
    assert len(caplog.messages) < 60  # at most one a second
    assert "guess" not in caplog.text
    assert "sesame" not in caplog.text


def test_monitors_may_ask_by_head(client: TestClient) -> None:
    for path in ("/", "/docs", "/healthz", "/readyz", "/about", "/search?q=pump", "/page/page.js"):
        assert client.head(path).status_code == 200
    assert client.head("/answer").status_code == 405


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
