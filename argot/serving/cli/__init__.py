"""The command `argot`: search, ask and look after a release.

Heavy libraries are imported by the command that needs them, so that help, `info` and lexical
search answer at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, NoReturn

import typer

import argot
from argot.core.extras import what_to_install
from argot.core.terminal import printable
from argot.errors import ArgotError
from argot.serving.cli.ask import ask
from argot.serving.cli.drift import drift
from argot.serving.cli.erase import erase
from argot.serving.cli.feedback import feedback
from argot.serving.cli.interleaving import interleaving
from argot.serving.cli.label import label
from argot.serving.cli.project import init, upgrade
from argot.serving.cli.publish import publish
from argot.serving.cli.release import export, info, mcp, verify
from argot.serving.cli.results import results
from argot.serving.cli.search import search
from argot.serving.cli.serve import serve

# As in the stages: a thread that waits sleeps, and takes no core from other programs.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = typer.Typer(
    help="Search a team's documents in that team's own language.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    *(search, ask, info, verify, export, mcp),
    *(serve, label, feedback, drift, interleaving, results, publish),
    *(init, upgrade, erase),
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"argot {argot.__version__}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version, and end."
        ),
    ] = False,
) -> None:
    """Search a team's documents in that team's own language."""


def main() -> None:
    """Run the command: bad input ends with one line and code 2, a bug with a traceback and 1."""
    warnings.formatwarning = lambda message, *_, **__: printable(f"argot: {message}\n")
    try:
        app()
    except ArgotError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        advice = what_to_install(error)
        if not advice:
            raise
        _fail(advice)
    except OSError as error:
        # A file that was named, or the machine: a person can mend both. Others are bugs.
        if not error.filename:
            raise
        _fail(f"{error.filename}: {error.strerror}")


def _fail(message: str) -> NoReturn:
    print(f"argot: error: {printable(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(2)
