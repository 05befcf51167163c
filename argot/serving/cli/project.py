"""`argot init` and `argot upgrade`: the pipeline in a repository of a team's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import argot

NEXT = """\
Next: documents into data/raw, questions into data/queries (README.md there says how), then
  dvc add data/raw && dvc repro
  argot results && argot search "..."
  git add --all && git commit"""


def init(
    folder: Annotated[
        Path, typer.Argument(help="A git repository, a folder of one, or an empty folder.")
    ] = Path(),
) -> None:
    """Put the pipeline into a repository of your own, beside this installed Argot.

    argot init && cp -r ~/handbook/. data/raw/ && dvc add data/raw && dvc repro

    It writes dvc.yaml, params.yaml, stages/, GitHub workflows, argot.lock and numerics.lock, and
    adds lines to .gitignore, .dvcignore and .gitattributes. No file that is there is overwritten.
    .argot/ keeps what was written, so that an upgrade knows your changes.
    """
    from argot.project.folder import create

    notes = create(folder)
    typer.echo(f"The pipeline of Argot {argot.__version__} is in {folder.resolve()}.")
    for note in notes:
        typer.echo(f"Warning: {note}.", err=True)
    typer.echo(NEXT)


def upgrade(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; write nothing.")
    ] = False,
) -> None:
    """Bring a project of argot init to the installed Argot, and say what will run again.

    pip install --upgrade argot-retrieval && argot upgrade --dry-run

    Files that you did not change become Argot's new ones, and your changes are merged with them.
    Where both changed the same lines, your file stays and Argot's comes beside it, as NAME.new.
    params.yaml keeps your values and gains new keys. Run it too after other libraries changed.
    """
    from argot.core.installed import read_lock
    from argot.project.folder import upgrade as bring_up_to_date

    before = read_lock()["version"]
    changes, stages = bring_up_to_date(Path(), dry_run)
    typer.echo(f"Argot {before} → {argot.__version__}{' (nothing is written)' * dry_run}")
    for change in changes:
        for note in change.notes:
            typer.echo(f"  {change.name}: {note}")
    if not stages:
        typer.echo("No stage runs again.")
        return
    typer.echo("`dvc repro` runs again, and after them what reads their results if those change:")
    for name, why in stages.items():
        typer.echo(f"  {name}: {why}")
