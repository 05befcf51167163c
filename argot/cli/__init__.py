"""The command `argot`: search, ask and look after a release.

Nothing heavy is imported until a command needs it, so that help, `info` and lexical search answer at once.
"""

from __future__ import annotations

import sys

import typer

from argot.cli.results import results
from argot.cli.search import search
from argot.errors import ArgotError

app = typer.Typer(
    help="Search a team's documents in that team's own language.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(search)
app.command()(results)


@app.callback()
def _group() -> None:
    """Search a team's documents in that team's own language."""


def main() -> None:
    """Run the command; bad input ends with one line and exit code 2, a bug with a traceback and 1."""
    try:
        app()
    except ArgotError as error:
        print(f"argot: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
