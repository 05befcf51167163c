"""A server over the tiny release, in this process and behind a real socket."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from argot.serving.server.server_settings import ServerSettings
from tests.support.serving import opened


@pytest.fixture
def settings(release: Path, tmp_path: Path) -> ServerSettings:
    return ServerSettings(
        release=release,
        feedback=tmp_path / "feedback",
        device="cpu",
        hosts=("testserver",),
        look_seconds=0.05,
    )


@pytest.fixture
def client(settings: ServerSettings) -> Iterator[TestClient]:
    with opened(settings) as client:
        yield client


@pytest.fixture
def folder(release: Path, tmp_path: Path) -> Path:
    """A copy of the tiny release, to be replaced."""
    return Path(shutil.copytree(release, tmp_path / "served"))
