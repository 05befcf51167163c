from __future__ import annotations

from pathlib import Path

import pytest

from argot.llm.providers.registry import PROVIDERS as REGISTERED
from tools.tiny.provider import KEY


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and a key for the local server."""
    monkeypatch.chdir(tmp_path)
    for provider in REGISTERED.values():
        monkeypatch.setenv(provider.key_variable, KEY)
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
