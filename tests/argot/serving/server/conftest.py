"""A server over the tiny release, in this process and behind a real socket."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from argot.serving.server.app import create_app
from argot.serving.server.server_settings import ServerSettings


@pytest.fixture
def settings(release: Path, tmp_path: Path) -> ServerSettings:
    return ServerSettings(
        release=release, feedback=tmp_path / "feedback", device="cpu", look_seconds=0.05
    )


@pytest.fixture
def client(settings: ServerSettings) -> Iterator[TestClient]:
    with opened(settings) as client:
        yield client


@contextmanager
def opened(settings: ServerSettings) -> Iterator[TestClient]:
    """A client in this process, when the model has loaded."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        app.state.server.release.batcher.ready.wait()
        yield client


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address of `app` behind a socket of this machine, for as long as the block lasts."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
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


@pytest.fixture
def folder(release: Path, tmp_path: Path) -> Path:
    """A copy of the tiny release, to be replaced."""
    return Path(shutil.copytree(release, tmp_path / "served"))
