"""`argot publish`: the release's embedder on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from argot.core.files import read_figures
from argot.core.terminal import printable
from argot.errors import InputError
from argot.serving.cli.search import RELEASE, Release

FETCHED = Path("data/figures/fetch.json")


def publish(
    repository: Annotated[
        str, typer.Argument(help="OWNER/NAME of the model repository.", show_default=False)
    ],
    base: Annotated[
        str, typer.Option(help="The base model's name on the Hub; else fetch.model's.")
    ] = "",
    public: Annotated[bool, typer.Option("--public", help="Make it public; asks first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the card and the files; upload nothing.")
    ] = False,
    release: Release = RELEASE,
) -> None:
    """Upload the release's embedder with a model card, to a private repository unless --public.

    argot publish our-team/handbook-embedder --dry-run

    HF_TOKEN=... argot publish our-team/handbook-embedder

    Run it in the repository that made the release: the card's figures are those of data/figures.
    """
    from argot.report.terminal import read_evaluation
    from argot.serving.adapters.hub import BaseModel, publish

    evaluation = read_evaluation()
    fetched = read_figures(FETCHED, ("base_model", "license"))
    of = BaseModel(base or fetched["base_model"], fetched["license"])
    if public and not dry_run and not yes and not typer.confirm(f"Make {repository} public?"):
        raise InputError("nothing was published")
    done = publish(release, evaluation, repository, of, private=not public, dry=dry_run)
    if dry_run:
        typer.echo(printable(done.card))
    did = "would upload" if dry_run else "uploaded"
    typer.echo(f"{did} to {done.repository}: {printable(', '.join(done.files))}")
