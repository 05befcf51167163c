"""A client of a server in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi.testclient import TestClient

from argot.serving.server.app import create_app
from argot.serving.server.server_settings import ServerSettings


@contextmanager
def opened(settings: ServerSettings) -> Iterator[TestClient]:
    """A client in this process, when the model has loaded."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        app.state.server.release.batcher.ready.wait()
        yield client
