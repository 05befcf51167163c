"""`argot feedback`: a person reviews what users said."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argot.core.terminal import printable
from argot.serving.cli.search import RELEASE, Release

if TYPE_CHECKING:
    from argot.feedback.review import Proposal


def feedback(
    folder: Annotated[Path, typer.Option(help="Folder of users' thumbs.")] = Path("data/feedback"),
    only_list: Annotated[
        bool, typer.Option("--list", help="Show what is to be reviewed; change nothing.")
    ] = False,
    release: Release = RELEASE,
) -> None:
    """Review users' thumbs; accepted ones become questions in data/queries/feedback.jsonl.

    argot feedback --list

    Nothing that users send trains or measures anything before a person has accepted it here.
    """
    from argot.feedback.journal import read_feedback
    from argot.feedback.review import disliked, proposals
    from argot.ranking.bm25 import Bm25

    records, broken = read_feedback(folder)
    waiting, wrong = proposals(records), disliked(records)
    read = f"{len(records):,} records, {broken} broken lines"
    typer.echo(f"{read}; {len(waiting)} to review, {len(wrong)} to label")
    if only_list:
        for proposal in waiting:
            print_proposal(proposal)
        return
    language = Bm25.load(release / Bm25.part).language if waiting else ""
    counts = {"accepted": 0, "refused": 0, "skipped": 0}
    for _, group in groupby(waiting, key=lambda proposal: proposal.key[0]):
        if not review_question(list(group), language, counts):
            break
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()))
    if wrong:
        typer.echo(f"{len(wrong)} questions got wrong passages only: label them with `argot label`")


def review_question(group: list[Proposal], language: str, counts: dict[str, int]) -> bool:
    """Let a person decide on the proposals for one question; False where the person quits."""
    from argot.feedback.review import accept, refuse

    accepted, choice = [], ""
    for proposal in group:
        print_proposal(proposal)
        answer = typer.prompt(
            "Does it answer? [y]es, [n]o, [s]kip, [q]uit", default="s", show_default=False
        )
        choice = str(answer).strip().lower()[:1]
        if choice == "q":
            break
        if choice == "y":
            accepted.append(proposal)
        elif choice == "n":
            refuse(proposal)
        counts[{"y": "accepted", "n": "refused"}.get(choice, "skipped")] += 1
    if accepted:
        typer.echo(f"→ {accept(accepted, language)}")
    return choice != "q"


def print_proposal(proposal: Proposal) -> None:
    """Print a proposal, without control characters: a stranger may have sent them."""
    votes = f"{proposal.up} up, {proposal.down} down"
    typer.secho(f"\n{printable(proposal.query)}", bold=True)
    typer.secho(f"{printable(proposal.document)} ({votes})", fg="cyan")
    typer.echo(printable(proposal.quote))
    for comment in proposal.comments:
        typer.secho(f"“{printable(comment)}”", dim=True)
