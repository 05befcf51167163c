"""`argot interleaving`: which of two releases do users prefer?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from argot.feedback.interleaving import Preference


def interleaving(
    feedback: Annotated[Path, typer.Option(help="Folder of questions, thumbs and clicks.")] = Path(
        "data/feedback"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, for pipes.")
    ] = False,
) -> None:
    """Say which release users prefer, where `argot serve --candidate RELEASE` mixed two.

    argot serve --candidate refresh/models/release

    argot interleaving

    Each question has one vote, by its thumbs and clicks. Choose beforehand at how many decided
    questions you will look: whoever looks every day until it is significant is wrong more often.
    """
    from argot.feedback.interleaving import preferences
    from argot.feedback.journal import read_feedback

    records, broken = read_feedback(feedback)
    found = preferences(records)
    for preference in found:
        if as_json:
            low, high = preference.interval
            numbers = {"share": preference.share, "low": low, "high": high}
            row = {**asdict(preference), **numbers, "preferred": preference.preferred}
            typer.echo(json.dumps(row))
        else:
            typer.echo(sentence(preference))
    if not as_json:
        more = "" if found else "no question was shown to users by two releases; "
        typer.echo(f"{more}{len(records):,} records, {broken} broken lines")


def sentence(preference: Preference) -> str:
    """The preference for people, with its interval."""
    low, high = preference.interval
    decided = preference.wins + preference.losses
    outcome = {
        "candidate": "users prefer the candidate",
        "served": "users prefer the served release",
        None: "no preference is proven",
    }[preference.preferred]
    return (
        f"{outcome}: candidate {preference.candidate} beside {preference.served} won "
        f"{preference.wins:,} of {decided:,} decided questions ({preference.share:.0%}, 95 % "
        f"interval {low:.0%} to {high:.0%}), {preference.ties:,} ties, {preference.shown:,} asked"
    )
