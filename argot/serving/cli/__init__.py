"""The command `argot`: search, ask and look after a release.

Heavy libraries are imported by the command that needs them, so that help, `info` and lexical
search answer at once.
"""

from __future__ import annotations

import sys
import warnings

import typer

from argot.errors import ArgotError
from argot.serving.cli.ask import ask
from argot.serving.cli.drift import drift
from argot.serving.cli.feedback import feedback
from argot.serving.cli.label import label
from argot.serving.cli.publish import publish
from argot.serving.cli.release import export, info, mcp, verify
from argot.serving.cli.results import results
from argot.serving.cli.search import search
from argot.serving.cli.serve import serve

app = typer.Typer(
    help="Search a team's documents in that team's own language.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for command in (
    *(search, ask, info, verify, export, mcp),
    *(serve, label, feedback, drift, results, publish),
):
    app.command()(command)


@app.callback()
def _group() -> None:
    """Search a team's documents in that team's own language."""


def main() -> None:
    """Run the command: bad input ends with one line and code 2, a bug with a traceback and 1."""
    warnings.formatwarning = lambda message, *_, **__: f"argot: {message}\n"
    try:
        app()
    except ArgotError as error:
        print(f"argot: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
