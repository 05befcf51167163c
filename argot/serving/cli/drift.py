"""`argot drift`: do users ask other things now?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from argot.serving.cli.search import RELEASE, Release

DRIFTED = 1  # exit code


def drift(
    feedback: Annotated[Path, typer.Option(help="Folder of what users asked.")] = Path(
        "data/feedback"
    ),
    release: Release = RELEASE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for pipes.")] = False,
) -> None:
    """Compare what users ask now with what the release was proven on; exit code 1 says that it is time to retrain.

    argot drift && echo "nothing to do"
    """
    from argot.feedback.drift import MOST, compare, describe, proven_on
    from argot.feedback.journal import asked, read_feedback
    from argot.search.retriever import Retriever

    records, broken = read_feedback(feedback)
    now = list(asked([record for record in records if record.kind == "asked"]))[-MOST:]
    retriever, before = Retriever.load(release), proven_on()
    found = compare(describe(retriever, before), describe(retriever, now))
    drifted = [difference for difference in found if difference.drifted]
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "asked": len(now),
                    "drifted": bool(drifted),
                    "differences": [asdict(d) for d in found],
                }
            )
        )
    else:
        typer.echo(
            f"{len(now):,} questions asked, {len(before):,} tested; {broken} lines could not be read"
        )
        for one in found:
            mark = "DRIFT" if one.drifted else "ok"
            typer.echo(
                f"{mark:<6}{one.name:<14} {one.before:7.3f} → {one.now:7.3f}   distance {one.distance:.2f}"
            )
        for one in drifted:
            typer.echo(f"{one.name}: {one.advice}")
    if drifted:
        raise typer.Exit(DRIFTED)
