"""The commands of the pages for operators and integrators run against a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from argot.serving.cli import app
from argot.serving.server.app import create_app
from argot.serving.server.server_settings import ServerSettings
from tools.docs.commands import ROOT, commands
from tools.tiny.server import listening

PAGES = [ROOT / "docs/integrate.md", ROOT / "docs/operate.md"]


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("jq"), reason="needs curl and jq")
def test_the_pages_commands_run(release: Path, tmp_path: Path) -> None:
    settings = ServerSettings(release=release, feedback=tmp_path, device="cpu")
    with listening(create_app(replace(settings, look_seconds=60))) as address:
        for page in PAGES:
            for block in commands(page):
                done = subprocess.run(
                    ["bash", "-eo", "pipefail", "-c", block],
                    env={**os.environ, "ARGOT": address},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


@pytest.mark.usefixtures("inputs")
def test_the_pages_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """In a folder that holds models/release; tests of the export run what needs no Argot."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGES[0].read_text("utf-8"), re.M | re.S)
    ours = [block for block in blocks if "argot" in block]
    assert ours
    for block in ours:
        exec(compile(block, PAGES[0].name, "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_option_of_the_pages_is_one_of_the_commands(page: Path) -> None:
    wide = {"COLUMNS": "200"}
    known = "".join(
        CliRunner().invoke(app, [name, "--help"], env=wide).output
        for name in ("serve", "mcp", "erase", "export")
    )
    text = re.sub("`git [^`]*`", "", page.read_text(encoding="utf-8"))
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--json"}:
        assert option in known, option
