"""`argot ask`: an answer from the documents, with its sources."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from argot.core.terminal import escaped, printable
from argot.llm.providers.registry import NAMES
from argot.serving.cli.search import (
    RELEASE,
    AskingGroups,
    Release,
    chosen_groups,
    print_passages,
)

if TYPE_CHECKING:
    from argot.serving.ask.ask import Answer

Model = Annotated[str, typer.Option(envvar="ARGOT_MODEL", help="The model's name at its provider.")]
BaseUrl = Annotated[str, typer.Option(envvar="ARGOT_BASE_URL", help="A server of your own.")]
PASSAGES_ALONE = 3  # exit code: the provider is missing or failed


def ask(
    question: Annotated[str, typer.Argument(help="What to ask.", show_default=False)],
    provider: Annotated[
        str,
        typer.Option(envvar="ARGOT_PROVIDER", help=f"{NAMES}; else the first that has a key."),
    ] = "",
    model: Model = "",
    base_url: BaseUrl = "",
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Passages a search.")] = 8,
    searches: Annotated[int, typer.Option(min=0, help="How often the model may search again.")] = 3,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the provider.")] = 60.0,
    redact: Annotated[
        bool, typer.Option(help="Mask addresses, numbers and keys in what is sent.")
    ] = True,
    groups: AskingGroups = None,
    release: Release = RELEASE,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole answer as JSON, at the end.")
    ] = False,
) -> None:
    """Answer from the documents alone; every claim cites a passage, and the quotes are checked.

    ANTHROPIC_API_KEY=... argot ask "Who may release a K4 hold?"

    argot ask "What is demurrage?" --base-url http://localhost:11434/v1 --model llama3.3

    Ends with code 3 where no model could be asked: the passages alone are printed then.
    """
    from argot.search.retriever import Retriever
    from argot.serving.ask.ask import Answer, Said, Searched
    from argot.serving.ask.ask import ask as answer
    from argot.serving.ask.chat import chosen_provider, open_chat

    chat = partial(open_chat, chosen_provider(provider, base_url), model, base_url, timeout)
    retriever = Retriever.load(release, once=True)
    search = partial(retriever.search, groups=chosen_groups(groups, retriever.manifest))
    for event in answer(search, question, chat, k, searches, redact):
        if isinstance(event, Said) and not as_json:
            typer.echo(printable(event.text), nl=False)
        elif isinstance(event, Searched) and not as_json and event.query != question:
            typer.secho(f"\n(searched: {printable(event.query)})", dim=True, err=True)
        elif isinstance(event, Answer):
            _finish(event, as_json)


def _finish(answer: Answer, as_json: bool) -> None:
    if as_json:
        typer.echo(escaped(json.dumps(answer.as_json(), ensure_ascii=False)))
    elif answer.problem:
        typer.echo()
        print_passages(list(answer.passages))
    else:
        _sources(answer)
    if answer.problem:
        problem = printable(answer.problem)
        typer.secho(f"argot: passages alone: {problem}", fg="yellow", err=True)
        raise typer.Exit(PASSAGES_ALONE)


def _sources(answer: Answer) -> None:
    """Print the passages that are cited, and the claims that no passage supports."""
    from argot.tables.chunks import location

    citations = [citation for claim in answer.claims for citation in claim.citations]
    cited = sorted({citation.number for citation in citations if not citation.problem})
    typer.echo("\n")
    for number in cited:
        passage = answer.passages[number - 1]
        where = location(passage.document, passage.heading, passage.page_name)
        typer.secho(f"[{number}] {printable(where)}", fg="cyan")
    for claim in answer.claims:
        if not claim.supported:
            why = "; ".join(c.problem for c in claim.citations if c.problem) or "cites no passage"
            unproven = printable(f"{claim.text} ({why})")
            # Beside the answer, so that a file of it holds the doubt too.
            typer.secho(f"Not proven: {unproven}", fg="yellow")
