from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope

from argot.errors import InputError
from argot.serving.server.app import create_app
from argot.serving.server.server_settings import RequestLimits, ServerSettings
from tests.support.chat_provider import Script, Turn, serving
from tests.support.serving import opened
from tools.tiny.server import listening

JSON = {"Content-Type": "application/json"}


def events(client: TestClient, **asked: Any) -> list[tuple[str, dict[str, Any]]]:
    reply = client.post("/answer", json=asked)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = [block.split("\n") for block in reply.text.strip().split("\n\n")]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in lines
    ]


def test_the_answer_comes_piece_by_piece_with_checked_citations(settings: ServerSettings) -> None:
    words = ["The rotor ", 'is stuck. [1 "the rotor is stuck"]']
    with serving(Script(Turn(text=words))) as script:
        asked = replace(settings, base_url=f"{script.url}/v1", provider="openai", model="m")
        with opened(asked) as client:
            assert client.get("/about").json()["answers"]
            came = events(client, question="what does error E-17 mean?")
    assert [name for name, _ in came] == ["searched", "said", "said", "answer"]
    assert "".join(data["text"] for name, data in came if name == "said") == "".join(words)
    answer = came[-1][1]
    [claim] = answer["claims"]
    assert (claim["text"], claim["supported"]) == ("The rotor is stuck.", True)
    assert answer["passages"][0]["text"] == "Error E-17 means the rotor is stuck."


def test_without_a_provider_the_passages_are_the_answer(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with opened(settings) as client:
        assert not client.get("/about").json()["answers"]
        name, answer = events(client, question="what does error E-17 mean?")[-1]
    assert name == "answer"
    assert answer["problem"].startswith("no model was asked: set ANTHROPIC_API_KEY or OPENAI")
    assert answer["passages"]


def test_an_unknown_provider_is_refused_at_the_start(settings: ServerSettings) -> None:
    with (
        pytest.raises(InputError, match="must be anthropic, openai or none, got 'antropic'"),
        opened(replace(settings, provider="antropic")),
    ):
        pass


def test_a_place_is_given_back_after_each_answer(settings: ServerSettings) -> None:
    with opened(replace(settings, provider="none", limits=RequestLimits(answers=1))) as client:
        for _ in range(3):
            events(client, question="pump")
    with opened(replace(settings, provider="none", limits=RequestLimits(answers=0))) as client:
        assert client.post("/answer", json={"question": "pump"}).status_code == 503


def test_clients_that_ask_and_leave_keep_no_place(settings: ServerSettings) -> None:
    body = json.dumps({"question": "pump"})
    head = "POST /answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    few = replace(settings, provider="none", limits=RequestLimits(answers=2))
    with listening(create_app(few)) as address:
        port = int(address.rpartition(":")[2])
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall((head + body).encode())
        until = time.monotonic() + 20
        while httpx.post(f"{address}/answer", content=body, headers=JSON).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        # Each of the places is free again, not only one of them.
        for _ in range(4):
            reply = httpx.post(f"{address}/answer", content=body, headers=JSON)
            assert reply.status_code == 200


def test_a_reply_that_never_starts_gives_its_place_back(settings: ServerSettings) -> None:
    asyncio.run(never_started(settings))


async def never_started(settings: ServerSettings) -> None:
    """A client that is gone before the first byte: its generator is never asked for anything."""
    app = create_app(replace(settings, provider="none", limits=RequestLimits(answers=1)))
    body = json.dumps({"question": "pump"}).encode()

    def body_then_silence() -> Receive:
        sent = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Message:
            for message in sent:
                return message
            await asyncio.Event().wait()
            raise AssertionError

        return receive

    async def gone(message: Message) -> None:
        raise OSError("the client has gone")

    scope: Scope = {
        "type": "http", "method": "POST", "path": "/answer", "raw_path": b"/answer",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
    }  # fmt: skip
    for _ in range(3):
        with pytest.raises((OSError, ExceptionGroup)):
            await app(dict(scope), body_then_silence(), gone)
    statuses = []

    async def keep(message: Message) -> None:
        statuses.append(message.get("status"))

    await app(dict(scope), body_then_silence(), keep)
    app.state.server.watcher.close()
    app.state.server.journal.close()
    assert statuses[0] == 200
