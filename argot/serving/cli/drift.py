"""`argot drift`: do users now ask other questions than those that the release was tested on?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argot.serving.cli.search import RELEASE, Release

if TYPE_CHECKING:
    from argot.feedback.drift import SampleDifference

DRIFTED = 4  # exit code


def drift(
    feedback: Annotated[Path, typer.Option(help="Folder of what users asked.")] = Path(
        "data/feedback"
    ),
    release: Release = RELEASE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for pipes.")] = False,
) -> None:
    """Compare what users ask now with the questions that the release was tested on.

    argot drift && echo "nothing to do"

    Ends with code 4 where it finds drift: it is time to label new questions and to train again. Run
    it in the repository: the questions of the test are in data/, which a release does not hold.
    """
    from argot.feedback.drift import MOST, compare_samples, describe_queries, tested_on
    from argot.feedback.journal import distinct_queries, read_feedback
    from argot.search.retriever import Retriever

    records, broken = read_feedback(feedback)
    asked = [record for record in records if record.kind == "asked"]
    now, before = list(distinct_queries(asked))[-MOST:], tested_on()
    retriever = Retriever.load(release)
    found = compare_samples(describe_queries(retriever, before), describe_queries(retriever, now))
    drifted = any(difference.drifted for difference in found)
    if as_json:
        differences = [asdict(difference) for difference in found]
        result = {"asked": len(now), "drifted": drifted, "differences": differences}
        typer.echo(json.dumps(result))
    else:
        counts = f"{len(now):,} questions asked, {len(before):,} tested"
        typer.echo(f"{counts}; {broken} lines could not be read")
        print_differences(found)
    if drifted:
        raise typer.Exit(DRIFTED)


def print_differences(found: Sequence[SampleDifference]) -> None:
    """A line for each number that was compared, then advice for those that drifted."""
    for one in found:
        mark = "DRIFT" if one.drifted else "ok"
        means = f"{one.before:7.3f} → {one.now:7.3f}"
        typer.echo(f"{mark:<6}{one.name:<14} {means}   distance {one.distance:.2f}")
    for one in found:
        if one.drifted:
            typer.echo(f"{one.name}: {one.advice}")
