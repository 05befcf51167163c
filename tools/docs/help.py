"""docs/commands.md: what `argot COMMAND --help` prints.

python -m tools.docs.help     writes it
"""

from __future__ import annotations

import argparse

import typer
from typer.testing import CliRunner

from argot.serving.cli import app
from tools.docs.commands import ROOT

PAGE = ROOT / "docs/commands.md"
HEAD = """# Commands

What each command's `--help` prints (`python -m tools.docs.help` writes this page, and a test keeps
it true). Exit codes:

- 0: the command did what it was asked to do.
- 1: a bug in Argot; a traceback shows where.
- 2: bad input; one line on standard error says what is wrong and what to do.
- 3: `argot ask` could ask no language model, and printed passages alone.
- 4: `argot drift` found drift.
- 5: `argot erase` lists something of the document that is left.
"""
TERMINAL = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}


def page() -> str:
    """All commands in the order of `argot --help`."""
    names = list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    return HEAD + "".join(f"\n## argot {name}\n\n```text\n{help_of(name)}\n```\n" for name in names)


def help_of(name: str) -> str:
    """The help of one command, without the space at the ends of lines."""
    output = CliRunner().invoke(app, [name, "--help"], prog_name="argot", env=TERMINAL).output
    return "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(page(), encoding="utf-8")
