from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.argot.serving.cli.test_search import argot
from tests.support.chat_provider import Script, Turn, serving
from tests.support.rights import GROUPS, SEEN

Capture = pytest.CaptureFixture[str]


def test_info_tells_model_and_origin(
    release: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert argot(monkeypatch, "info", "--release", str(release)) == 0
    out = capsys.readouterr().out
    assert "tuned (verdict: tuned)" in out
    assert "bm25, dense, tokens" in out
    assert argot(monkeypatch, "info", "--release", str(release), "--json") == 0
    assert json.loads(capsys.readouterr().out)["dimension"] == 32


def test_verify_passes_a_sound_release(
    release: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert argot(monkeypatch, "verify", "--release", str(release)) == 0
    assert "is sound: 8 passages, 8 of them encoded again" in capsys.readouterr().out


def test_verify_refuses_a_changed_file(
    spoilt: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (spoilt / "chunks.parquet").write_bytes(b"")
    assert argot(monkeypatch, "verify", "--release", str(spoilt)) == 2
    assert "chunks.parquet doesn't match its manifest" in capsys.readouterr().err


def test_export_writes_a_folder(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert (
        argot(
            monkeypatch,
            "export",
            str(tmp_path / "out"),
            "--format",
            "npy",
            "--release",
            str(release),
        )
        == 0
    )
    assert (tmp_path / "out" / "vectors.npy").exists()
    assert (
        argot(
            monkeypatch, "export", str(tmp_path / "x"), "--format", "csv", "--release", str(release)
        )
        == 2
    )
    assert (
        "--format must be parquet, jsonl, npy, onnx, openvino, got 'csv'" in capsys.readouterr().err
    )


def test_compare_shows_every_system(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert argot(monkeypatch, "search", "E-17", "--compare", "-k", "2") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("base", "tuned", "BM25", "tuned + BM25 + tokens"))
    assert "Error E-17 means the rotor is stuck." in out


def test_ask_without_a_key_prints_passages_and_why(
    release: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "ARGOT_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    assert argot(monkeypatch, "ask", "error E-17", "--release", str(release)) == 3
    told = capsys.readouterr()
    assert "Error E-17 means the rotor is stuck." in told.out
    assert "set ANTHROPIC_API_KEY or OPENAI_API_KEY" in told.err


def test_info_and_lexical_search_load_no_torch(release: Path) -> None:
    for arguments in (["info"], ["search", "E-17", "--mode", "bm25"]):
        code = (
            f"import sys; sys.argv = ['argot', *{arguments!r}, '--release', {str(release)!r}]\n"
            "from argot.serving.cli import main\n"
            "try: main()\n"
            "finally: print(sorted({'torch', 'faiss', 'transformers', 'openai', 'anthropic'} & set(sys.modules)))"
        )
        assert (
            subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1]
            == "[]"
        )


def test_rights_hold_for_the_groups_that_are_given(
    restricted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("ARGOT_RELEASE", str(restricted))
    asked = ("search", "pump seal wages goods", "-k", "50", "--mode", "dense", "--json")

    def documents(*groups: str) -> set[str]:
        assert argot(monkeypatch, *asked, *groups) == 0
        lines = capsys.readouterr()
        assert ("whatever their access rights" in lines.err) == (not groups)
        return {json.loads(line)["document"] for line in lines.out.splitlines()}

    assert documents("--groups", "legal") == SEEN["legal"]
    assert documents("--groups", "legal", "--groups", "mechanics") == SEEN["mechanics"]
    assert documents("--groups", "Legal") == SEEN["nobody"]
    assert documents() == set(GROUPS)
    assert argot(monkeypatch, "export", str(tmp_path / "out"), "--groups", "legal") == 0
    assert "4 passages" in capsys.readouterr().out
    assert argot(monkeypatch, "search", "pump", "--compare", "--groups", "legal") == 2
    assert "leave out --groups" in capsys.readouterr().err


def test_an_answer_on_the_command_line_is_of_what_is_seen(
    restricted: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("ARGOT_RELEASE", str(restricted))
    asked = ("ask", "pump seal wages goods", "-k", "50", "--provider", "none", "--json")
    assert argot(monkeypatch, *asked, "--groups", "legal") == 3
    answer = json.loads(capsys.readouterr().out)
    assert {one["document"] for one in answer["passages"]} <= SEEN["legal"]


def test_what_is_not_proven_is_told_beside_the_answer(
    release: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with serving(Script(Turn(text=['It floats. [1 "by magic powers"]']))) as script:
        asked = ("ask", "error E-17", "--provider", "openai", "--model", "m")
        where = ("--base-url", f"{script.url}/v1", "--release", str(release))
        assert argot(monkeypatch, *asked, *where) == 0
    told = capsys.readouterr().out
    assert "Not proven: It floats. (passage 1 doesn't hold these words)" in told


@pytest.mark.parametrize(
    "command", [("mcp",), ("serve", "--port", "0"), ("serve", "--port", "0", "--host", "0.0.0.0")]
)
def test_without_groups_nothing_is_offered_to_others(
    restricted: Path, command: tuple[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("ARGOT_API_KEY", "k")
    assert argot(monkeypatch, *command, "--release", str(restricted)) == 2
    assert "has access rights" in capsys.readouterr().err


def test_one_key_for_all_and_a_key_for_each_exclude_each_other(
    restricted: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("ARGOT_API_KEY", "k")
    command = ("serve", "--release", str(restricted), "--keys", "keys.yaml")
    assert argot(monkeypatch, *command) == 2
    assert "ARGOT_API_KEY is one key for all, and --keys one for each" in capsys.readouterr().err


def test_a_model_has_no_groups(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    asked = ("export", str(tmp_path / "out"), "--format", "onnx", "--release", str(release))
    assert argot(monkeypatch, *asked, "--groups", "legal") == 2
    assert "--format onnx writes no passages; leave out --groups" in capsys.readouterr().err
