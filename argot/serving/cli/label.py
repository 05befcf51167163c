"""`argot label`: a person judges which passages answer a question."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from argot.core.terminal import printable
from argot.errors import InputError
from argot.serving.cli.search import RELEASE


def label(
    questions: Annotated[
        Path | None, typer.Argument(help="Questions to judge, one a line.", show_default=False)
    ] = None,
    terminal: Annotated[bool, typer.Option(help="Judge in the terminal, not on a page.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8001,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Judge which passages answer a question; judgments go to data/queries/labelled.jsonl.

    argot label questions.txt

    The passages are the best of all systems, in an order that does not show who found them. Without
    a file you judge what users asked, and what you type. Twenty judgments are a start; a proof
    usually takes a hundred.
    """
    from argot.feedback.workbench import is_repository

    if not is_repository():
        raise InputError(
            "no pipeline has run here, so there is nothing to judge: run `dvc repro` first"
        )
    given = read_questions(questions) if questions else []
    if terminal:
        judge_in_terminal(given, device)
    else:
        judge_on_page(given, device, port, browser)


def read_questions(path: Path) -> list[str]:
    """The questions of a file, one a line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} can't be read ({error}); it should hold one question a line, as UTF-8"
        ) from None
    return [line.strip() for line in lines if line.strip()]


def judge_on_page(given: list[str], device: str, port: int, browser: bool) -> None:
    """Serve the page for this machine alone, and open it."""
    from argot.serving.cli.serve import log_to_terminal, serve_app
    from argot.serving.server.server_settings import ServerSettings

    settings = ServerSettings(
        release=RELEASE,
        feedback=Path("data/feedback"),
        device=device,
        keep_questions=False,
        workbench=True,
        questions=tuple(given),
        provider="none",
    )
    if browser:
        webbrowser.open(f"http://127.0.0.1:{port}/#label")
    log_to_terminal("warning")
    serve_app(settings, "127.0.0.1", port, "#label")


def judge_in_terminal(given: list[str], device: str) -> None:
    """Print the passages of each question, and read the numbers that a person types."""
    from argot.feedback.label import candidates, judgment, keep, waiting
    from argot.feedback.workbench import Workbench
    from argot.tables.chunks import location

    workbench = Workbench(device)
    for query in waiting(given):
        found = candidates(workbench, query)
        typer.secho(f"\n{printable(query)}", bold=True)
        for number, passage in enumerate(found, start=1):
            where = location(passage["document"], passage["heading"], passage["page_name"])
            typer.secho(f"{number}. {printable(where)}", fg="cyan")
            typer.echo(printable(passage["text"]).strip())
        chosen = read_choice(len(found))
        if chosen is None:
            continue
        keep(query, [judgment(workbench, found[number - 1]["chunk"]) for number in chosen])


def read_choice(count: int) -> list[int] | None:
    """The numbers that a person types; [] where no passage answers, None to skip."""
    while True:
        answer = typer.prompt(
            "Which answer it? Numbers; 0 for none, s to skip", default="s", show_default=False
        )
        words = answer.replace(",", " ").split()
        if words == ["s"]:
            return None
        if words == ["0"]:
            return []
        if words and all(word.isdecimal() and 1 <= int(word) <= count for word in words):
            return sorted({int(word) for word in words})
        typer.echo(f"numbers from 1 to {count}, 0 or s")
