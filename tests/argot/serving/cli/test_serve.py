from __future__ import annotations

import importlib
import json
import logging
import re
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from argot.serving.server.server_settings import ServerSettings
from tests.argot.serving.cli.test_search import argot
from tools.deps import ROOT

# The package has a function of this name too.
command = importlib.import_module("argot.serving.cli.serve")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ServerSettings]:
    """The settings of each server that would have started, in a repository, without a key."""
    settings: list[ServerSettings] = []

    def keep(given: ServerSettings, *_: Any) -> None:
        settings.append(given)

    monkeypatch.setattr(command, "serve_app", keep)
    monkeypatch.setattr("argot.feedback.workbench.is_repository", lambda: True)
    monkeypatch.delenv("ARGOT_API_KEY", raising=False)
    return settings


REACHABLE = [
    ["--host", "0.0.0.0"],
    ["--host", "::"],
    ["--host", ""],
    ["--host", "192.0.2.1"],
    ["--host", "127.0.0.1.example"],
    ["--host", "2130706433"],
    ["--allow-host", "search.example.com"],
]


@pytest.mark.parametrize("key", ["", "  \n"])
@pytest.mark.parametrize("arguments", REACHABLE)
def test_without_a_key_no_server_starts_that_others_can_reach(
    started: list[ServerSettings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    arguments: list[str],
    key: str,
) -> None:
    monkeypatch.setenv("ARGOT_API_KEY", key)
    assert argot(monkeypatch, "serve", *arguments) == 2
    assert started == []
    error = capsys.readouterr().err
    assert "ARGOT_API_KEY" in error
    assert "--open" in error


@pytest.mark.parametrize("arguments", [*REACHABLE, ["--open"]])
@pytest.mark.parametrize("key", ["", "sesame"])
def test_where_others_can_reach_it_the_workbench_is_off(
    started: list[ServerSettings], monkeypatch: pytest.MonkeyPatch, arguments: list[str], key: str
) -> None:
    monkeypatch.setenv("ARGOT_API_KEY", key)
    how = [] if key or "--open" in arguments else ["--open"]
    code = argot(monkeypatch, "serve", *arguments, *how)
    if key and "--open" in arguments:
        assert (code, started) == (2, [])  # one says a key, the other none
        return
    [settings] = started
    assert (settings.public, settings.workbench, settings.api_key) == (True, False, key)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_for_this_machine_no_key_is_needed_and_the_workbench_is_on(
    started: list[ServerSettings], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    assert argot(monkeypatch, "serve", "--host", host) == 0
    [settings] = started
    assert (settings.public, settings.workbench, settings.hosts) == (False, True, ())


def test_the_image_refuses_to_start_without_a_key(
    started: list[ServerSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert line
    _, *arguments = json.loads(line.group(1))
    assert argot(monkeypatch, *arguments) == 2
    assert started == []
    monkeypatch.setenv("ARGOT_API_KEY", " sesame\n")
    assert argot(monkeypatch, *arguments) == 0
    assert (started[0].api_key, started[0].workbench) == ("sesame", False)


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--port", port, "--release", str(tmp_path / "none")]
        assert argot(monkeypatch, "serve", *arguments) == 2
    assert f"cannot listen at 127.0.0.1, port {port}" in capsys.readouterr().err


def test_a_reply_in_two_parts_does_not_wait_between_them() -> None:
    with command.listening_socket("127.0.0.1", 0) as held:
        client = socket.create_connection(held.getsockname())
        accepted, _ = held.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_open_is_said_aloud(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delenv("ARGOT_API_KEY", raising=False)
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, sockets: sockets[0].close())
    arguments = ["--open", "--port", "0", "--device", "cpu", "--release", str(release)]
    assert argot(monkeypatch, "serve", *arguments, "--feedback", str(tmp_path)) == 0
    error = capsys.readouterr().err
    assert re.search(r"serving .* at http://127\.0\.0\.1:[1-9]\d+/", error)
    assert "warning: open: whoever reaches this address can read every document" in error


def test_the_log_has_the_time_and_no_control_character() -> None:
    record = logging.LogRecord("argot", 30, "", 1, "a\x1b[2J\x9b%s", ("\r!",), None)
    line = command._PrintableFormatter("%(asctime)s %(levelname)s %(message)s").format(record)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \S+ WARNING a�\[2J��!", line)


def test_a_candidate_needs_the_questions(
    started: list[ServerSettings], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert argot(monkeypatch, "serve", "--candidate", "new", "--no-keep-questions") == 2
    assert "leave out --no-keep-questions" in capsys.readouterr().err
    assert argot(monkeypatch, "serve", "--candidate", "new") == 0
    assert [settings.candidate for settings in started] == [Path("new")]


def test_json_logs_hold_the_fields_of_a_request() -> None:
    record = logging.LogRecord("argot", 20, "", 1, "a\x1b\n%s", ("é",), None)
    record.fields = {"status": 200}
    told = json.loads(command._JsonFormatter().format(record))
    assert (told["level"], told["message"], told["status"]) == ("info", "a\x1b\né", 200)
    assert datetime.fromisoformat(told["time"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cors-origin", "*"], "--cors-origin expects a site"),
        (["--cors-origin", "https://example.com/path"], "--cors-origin expects a site"),
        (["--cors-origin", "example.com"], "--cors-origin expects a site"),
        (["--root-path", "argot"], "--root-path expects a path"),
        (["--root-path", "/argot/"], "--root-path expects a path"),
    ],
)
def test_origins_and_sub_paths_are_checked(
    started: list[ServerSettings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    arguments: list[str],
    told: str,
) -> None:
    assert argot(monkeypatch, "serve", *arguments) == 2
    assert told in capsys.readouterr().err
    assert not started
