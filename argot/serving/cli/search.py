"""`argot search`: passages for a question."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argot.core.terminal import escaped, printable
from argot.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from argot.search.release import Manifest
    from argot.search.retriever import Passage
    from argot.search.rights import Groups

Release = Annotated[Path, typer.Option(help="The release's folder.", envvar="ARGOT_RELEASE")]
RELEASE = Path("models/release")
UNBROKEN = 100_000  # characters: no line is as long
AskingGroups = Annotated[
    list[str] | None,
    typer.Option(
        "--groups", help="Access rights: only what this group may see. Repeat for more groups."
    ),
]


def search(
    question: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many passages.")] = 5,
    mode: Annotated[
        str | None,
        typer.Option(help="hybrid, bm25, dense or tokens; default: as evaluated."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only documents with this metadata: KEY=VALUE.")
    ] = None,
    groups: AskingGroups = None,
    release: Release = RELEASE,
    rerank: Annotated[
        Path | None,
        typer.Option(help="Folder of a cross-encoder to rank again by."),
    ] = None,
    compared: Annotated[
        bool, typer.Option("--compare", help="In a repository: the best of each system.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for pipes.")
    ] = False,
) -> None:
    """Print the passages that answer a question best.

    argot search "who releases a K4 hold?"

    argot search "demurrage" --mode bm25 --k 20 --json | jq -r .document

    argot search "VGM cutoff" --where year=2026
    """
    if compared and groups:
        raise InputError("--compare searches all passages: leave out --groups")
    if compared:
        print_compared(question, k)
        return
    from argot.search.retriever import Retriever

    filter = parse_where(where or [])
    retriever = Retriever.load(release, reranker=rerank, once=True)
    asking = chosen_groups(groups, retriever.manifest)
    found = retriever.search(question, k, mode, filter or None, asking)
    if as_json:
        for passage in found:
            typer.echo(escaped(json.dumps(asdict(passage), ensure_ascii=False)))
    else:
        print_passages(found, retriever.nothing_fits(found))
    if not found and filter and (why := retriever.unmet(filter, asking)):
        typer.secho(printable(f"argot: {why}"), fg="yellow", err=True)


def chosen_groups(groups: list[str] | None, manifest: Manifest) -> Groups:
    """The groups that were given; without any ALL, for the release's files are here to read.

    Where the release has access rights, a line on standard error says that they are not used.
    """
    from argot.search.rights import ALL

    if groups:
        return frozenset(groups)
    if manifest.groups:
        line = "argot: all passages, whatever their access rights: you own the files (--groups)"
        typer.secho(line, fg="yellow", err=True)
    return ALL


def parse_where(conditions: list[str]) -> dict[str, Any]:
    """KEY=VALUE, ... as a filter; values are compared as text."""
    pairs = [condition.partition("=") for condition in conditions]
    for key, sign, value in pairs:
        if not key or not sign or not value:
            raise InputError(
                f"--where expects KEY=VALUE, such as year=2026, got '{key}{sign}{value}'"
            )
    return {key: value for key, _, value in pairs}


def own_console() -> Console:
    """Standard output; only a terminal gets broken lines, other programs want each line whole."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else UNBROKEN)


def print_passages(found: list[Passage], nothing_fits: bool = False) -> None:
    """Print passages for a person to read; `nothing_fits` says that none of them may answer."""
    from rich.text import Text

    from argot.tables.chunks import location

    console = own_console()
    if not found:
        console.print("No passage found.")
    if nothing_fits:
        console.print("Perhaps nothing fits: these are the nearest passages.\n", style="yellow")
    for passage in found:
        head = Text(f"{passage.rank}. ", style="bold")
        document = printable(passage.document)
        where = printable(location(passage.document, passage.heading, passage.page_name))
        head.append(document, style="bold cyan")
        head.append(where.removeprefix(document), style="cyan")
        head.append(f"  {passage.score:.3f}", style="dim")
        if passage.probability is not None:
            head.append(f"  {passage.probability:.0%} that it answers", style="dim")
        console.print(head)
        if passage.url:
            console.print(Text(passage.url, style="dim"))
        console.print(Text(printable(passage.text.strip())), "\n", sep="\n", end="")


def print_compared(question: str, k: int) -> None:
    """The best passages of each system, side by side, and which of them ships."""
    from rich.table import Table
    from rich.text import Text

    from argot.evaluation.names import name
    from argot.feedback.workbench import Workbench
    from argot.tables.chunks import location

    workbench = Workbench()
    rankings = workbench.search(question)
    heads = [f"{name(row)} (ships)" if row == workbench.ships else name(row) for row in rankings]
    table = Table("", *heads, show_lines=True)
    for rank in range(k):
        cells = []
        for places in rankings.values():
            row = workbench.passage(places[rank].id) if rank < len(places) else None
            where = location(row["document"], row["heading"], row["page_name"]) if row else ""
            cells.append(f"{where}\n{row['text']}" if row else "")
        table.add_row(str(rank + 1), *(Text(printable(cell)) for cell in cells))
    own_console().print(table)
