"""Servers for a test, a benchmark or a picture: in this process, or in one of their own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from argot.serving.server.connection import TimedConnection
from tools.deps import ROOT


class Running(NamedTuple):
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address of `app` behind a socket of this machine, for as long as the block lasts."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=TimedConnection, ws="none", log_level="warning", lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    app.state.server.release.batcher.ready.wait()
    try:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        held.close()


@contextmanager
def running(arguments: list[str]) -> Iterator[Running]:
    """A server of the program `python ARGUMENTS PORT`, when it is ready; the port is a free one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *arguments, str(port)], cwd=ROOT, env=dict(os.environ)
    )
    try:
        until = time.monotonic() + 180
        while not ready(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        yield Running(process, port)
    finally:
        process.terminate()
        process.wait(timeout=30)


def ready(port: int) -> bool:
    """Does the server on this port say that it is ready?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
