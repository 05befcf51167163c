from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from argot.core.terminal import printable
from argot.search.retriever import Passage, Retriever
from argot.serving.cli import app, main


def argot(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["argot", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
        sys.exit(0)
    return int(end.value.code or 0)


@pytest.fixture
def here(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOT_RELEASE", str(release))


@pytest.mark.usefixtures("here")
def test_passages_are_printed_with_document_heading_and_score(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert argot(monkeypatch, "search", "error E-17", "--mode", "bm25") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1. pumps/noise.md › Pumps > Noise")
    assert float(lines[0].split()[-1]) > 0
    assert lines[1] == "Error E-17 means the rotor is stuck."


def test_a_pipe_gets_whole_lines_and_the_address_of_the_document(
    release: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "https://example.com/" + "long/" * 60
    long = Passage(
        "1", "word " * 200, "d" * 300, "D", "H", 0, 1, {}, 1.0, 1, {}, url=url, page_name="page 3"
    )
    monkeypatch.setattr(Retriever, "search", lambda *_, **__: [long])
    assert argot(monkeypatch, "search", "pump", "--release", str(release)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"1. {'d' * 300} › H, page 3  1.000", url, ("word " * 200).strip(), ""]


def test_python_can_run_the_package_and_h_is_help() -> None:
    command = [sys.executable, "-m", "argot", "info", "-h"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Print what a release is" in done.stdout


def test_shells_complete_the_commands() -> None:
    asked = {"_ARGOT_COMPLETE": "complete_bash", "COMP_WORDS": "argot se", "COMP_CWORD": "1"}
    done = CliRunner().invoke(app, env=asked, prog_name="argot")
    assert done.output.split() == ["search", "serve"]


@pytest.mark.usefixtures("here")
def test_probabilities_are_printed_and_that_nothing_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert argot(monkeypatch, "search", "error E-17") == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("% that it answers")
    assert argot(monkeypatch, "search", "zebra") == 0
    assert capsys.readouterr().out.startswith("Perhaps nothing fits")


@pytest.mark.usefixtures("here")
def test_json_is_one_passage_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert argot(monkeypatch, "search", "pump seal", "-k", "2", "--mode", "bm25", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["rank"] for one in found] == [1, 2]
    assert found[0]["document"] == "pumps/seals.md"


@pytest.mark.usefixtures("here")
def test_where_keeps_what_matches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        argot(monkeypatch, "search", "pump", "--mode", "bm25", "--where", "year=2026", "--json")
        == 0
    )
    assert {json.loads(line)["document"] for line in capsys.readouterr().out.splitlines()} == {
        "pumps/noise.md"
    }


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--release", "nowhere"], "nowhere doesn't exist"),
        (["--mode", "fused"], "mode must be one of hybrid, bm25, dense, tokens"),
        (["--where", "year"], "--where expects KEY=VALUE"),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    assert argot(monkeypatch, "search", "pump", *arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['argot', '--help']\n"
        "from argot.serving.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'faiss', 'numpy', 'pyarrow', 'bm25s'} & set(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "search" in out
    assert out.splitlines()[-1] == "[]"


@pytest.mark.usefixtures("here")
def test_a_question_is_answered_without_torch(release: Path) -> None:
    code = (
        "import sys; sys.argv = ['argot', 'search', 'my pump rattles', '--json']\n"
        "from argot.serving.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    *passages, heavy = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert heavy == "[]"
    # The same passages as by the server's way, in the same order.
    found = Retriever.load(release, device="cpu").search("my pump rattles", 5)
    for line, expected in zip(passages, found, strict=True):
        passage = json.loads(line)
        assert passage["id"] == expected.id
        assert passage["score"] == pytest.approx(expected.score, abs=1e-4)


@pytest.mark.usefixtures("here")
def test_a_filter_that_nothing_passes_names_the_known_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert argot(monkeypatch, "search", "pump", "--mode", "bm25", "--where", "year=2024") == 0
    shown = capsys.readouterr()
    assert shown.out == "No passage found.\n"
    assert shown.err == "argot: no document has year=2024; known are: 2025, 2026\n"


HOSTILE = "\x1b]0;pwned\x07 \x9b2J \rrm -rf \u202egpj"


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("name", ["search", "ask"])
def test_no_control_character_of_a_document_reaches_the_terminal(
    release: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    as_json: bool,
) -> None:
    hostile = Passage(
        *("1", f"text {HOSTILE}", f"{HOSTILE}.md", HOSTILE, HOSTILE, 0, 1),
        *({"by": HOSTILE}, 1.0, 1, {}),
    )
    monkeypatch.setattr(Retriever, "search", lambda *_, **__: [hostile])
    monkeypatch.setenv("ARGOT_PROVIDER", "none")
    arguments = [name, HOSTILE, "--release", str(release), *(["--json"] if as_json else [])]
    assert argot(monkeypatch, *arguments) == (0 if name == "search" else 3)
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert printable(text) == text
    assert "pwned" in shown.out
    if as_json:
        told = json.loads(shown.out)
        assert (told if name == "search" else told["passages"][0])["text"] == hostile.text


def test_no_control_character_in_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert argot(monkeypatch, "search", "pump", "--release", f"none{HOSTILE}") == 2
    error = capsys.readouterr().err.rstrip("\n")
    assert "pwned" in error
    assert printable(error) == error


@pytest.mark.usefixtures("inputs")
def test_compared_systems_say_which_of_them_ships(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "260")
    assert argot(monkeypatch, "search", "error E-17", "--compare", "-k", "1") == 0
    shown = capsys.readouterr().out
    assert shown.count("(ships)") == 1 and "tuned + BM25 + tokens (ships)" in shown
