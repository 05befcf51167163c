"""`argot erase`: a document that must go, for legal reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argot.core.terminal import escaped, printable

if TYPE_CHECKING:
    from argot.erasure.places import Place

LEFT = 5  # exit code
ELSEWHERE = (
    "Look yourself: servers that run (restart them), releases and exports elsewhere, vector "
    "stores, models on the Hub, other clones, backups, providers' logs."
)


def erase(
    document: Annotated[
        str, typer.Argument(help="Its path below data/raw; or a folder or archive of documents.")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete; without it, only show what is found.")
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A folder elsewhere with exports or releases. Repeat for more."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for pipes.")
    ] = False,
) -> None:
    """Find a document wherever it is kept, and delete what can be deleted.

    argot erase people/payroll.pdf

    argot erase people/payroll.pdf --yes --also /srv/exports && echo "nothing is left"

    Deleted are the document, what was made from it, and its versions in DVC's cache and in remotes
    that are folders. Other lines of a file, other documents and trained models stay. Ends with code
    5 where something is left, such as git's history; without --yes whatever is found is left. Run
    it in the repository, while nothing else runs there.
    """
    from argot.erasure.places import find, gather
    from argot.erasure.versions import Stores, Versions

    document = document.removeprefix("data/raw/").strip("/")
    stores, more = Stores.of_repository(), also or []
    traces = gather(document, stores, more)
    places = list(find(traces, Versions(stores, traces), more))
    for place in places:
        if yes and place.erase:
            place.erase()
        print_place(place, yes, as_json)
    left = [place for place in places if not (yes and place.erase)]
    if not as_json:
        found = f"{len(traces.chunks):,} passages known, {len(places):,} places"
        typer.echo(f"{printable(document)}: {found}, {len(left):,} left")
        typer.echo(ELSEWHERE)
    if left:
        raise typer.Exit(LEFT)


def print_place(place: Place, yes: bool, as_json: bool) -> None:
    """A line for a place, with what was or would be done there."""
    done = ("erased" if yes else "would erase") if place.erase else "left"
    if as_json:
        row = {"where": place.where, "what": place.what, "done": done}
        typer.echo(escaped(json.dumps(row, ensure_ascii=False)))
    else:
        typer.echo(printable(f"{done:<12}{place.where}  {place.what}"))
