"""Clients that send or read a little, and stay: on real sockets, with short limits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from argot.serving.server.app import create_app
from argot.serving.server.connection import TimedConnection
from argot.serving.server.server_settings import RequestLimits, ServerSettings
from tools.tiny.server import listening

HEAD = b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@contextmanager
def connections(address: str, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Connections that have sent some bytes, and stay."""
    port = int(address.rpartition(":")[2])
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(sent)
            opened.append(connection)
        yield opened


def is_cut_off(connection: socket.socket, seconds: float = 20) -> bool:
    """Does the server end this connection, without a word or after some?"""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def searched(address: str) -> int:
    return httpx.post(f"{address}/search", json={"query": "pump"}, timeout=20).status_code


@pytest.mark.slow
def test_half_sent_bodies_lock_nobody_out(settings: ServerSettings) -> None:
    limits = RequestLimits(concurrency=8, body_seconds=3)
    half = HEAD + b"Content-Length: 100\r\n\r\n{"
    with (
        listening(create_app(replace(settings, limits=limits))) as address,
        connections(address, 40, half) as hanging,
    ):
        assert [searched(address) for _ in range(3)] == [200] * 3
        for connection in hanging:
            connection.settimeout(20)
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
            assert is_cut_off(connection)


def test_a_body_that_drips_is_not_waited_for(settings: ServerSettings) -> None:
    limits = RequestLimits(body_seconds=1)
    with (
        listening(create_app(replace(settings, limits=limits))) as address,
        connections(address, 1, HEAD + b"Content-Length: 1000\r\n\r\n{") as [dripping],
    ):
        until = time.monotonic() + 1.5
        with pytest.raises(ConnectionError):
            while time.monotonic() < until + 10:
                dripping.sendall(b" ")
                time.sleep(0.1)
        assert time.monotonic() >= until - 0.6


@pytest.mark.slow
def test_long_half_bodies_fill_their_room_and_short_ones_go_on(settings: ServerSettings) -> None:
    limits = RequestLimits(held_bytes=400_000, body_bytes=1 << 20, body_seconds=5)
    long = HEAD + b"Content-Length: 900000\r\n\r\n" + b" " * 150_000
    with listening(create_app(replace(settings, limits=limits))) as address:
        with connections(address, 6, long) as hanging:
            assert searched(address) == 200
            replies = []
            for connection in hanging:
                connection.settimeout(20)
                replies.append(connection.recv(12))
        assert {b"HTTP/1.1 503", b"HTTP/1.1 408"} == set(replies)
        body = b'{"query": "pump"' + b" " * 300_000 + b"}"
        reply = httpx.post(f"{address}/search", content=body, headers=JSON, timeout=20)
        assert reply.status_code == 200  # the room is free again


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimedConnection, "seconds", 0.5)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("sent", [b"", b"G", HEAD, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(
    settings: ServerSettings, sent: bytes
) -> None:
    with (
        listening(create_app(settings)) as address,
        connections(address, 1, sent) as [connection],
    ):
        assert is_cut_off(connection)


@pytest.mark.usefixtures("hasty")
def test_a_second_head_that_drips_ends_the_connection(settings: ServerSettings) -> None:
    """uvicorn's own limit of silence ends with the first byte after a reply."""
    first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        listening(create_app(settings)) as address,
        connections(address, 1, first) as [connection],
    ):
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionError):
            for _ in range(100):
                connection.sendall(b"G")
                time.sleep(0.1)


@pytest.mark.usefixtures("hasty")
def test_a_reply_that_nobody_reads_ends(free: socket.socket) -> None:
    ended = threading.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while not gone(send):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        finally:
            ended.set()

    config = uvicorn.Config(endless, http=TimedConnection, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [free]})
    thread.start()
    with socket.create_connection(free.getsockname()) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert ended.wait(20)
    server.should_exit = True
    thread.join(20)


def gone(send: Send) -> bool:
    """Has uvicorn noticed that the client is gone?"""
    return bool(send.__self__.disconnected)  # type: ignore[attr-defined]


@pytest.fixture
def free() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


JSON = {"Content-Type": "application/json"}
