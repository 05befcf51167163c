"""`argot ask`: an answer out of the documents, with its sources."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argot.errors import InputError, ProviderError
from argot.serving.cli.search import RELEASE, Release, print_passages

if TYPE_CHECKING:
    from argot.serving.ask.ask import Answer
    from argot.serving.ask.chat import Chat

KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
PASSAGES_ALONE = 3  # exit code: the provider is missing or failed


def ask(
    question: Annotated[str, typer.Argument(help="What to ask.", show_default=False)],
    provider: Annotated[
        str,
        typer.Option(
            envvar="ARGOT_PROVIDER", help="anthropic, openai (and servers like it) or none."
        ),
    ] = "",
    model: Annotated[
        str, typer.Option(envvar="ARGOT_MODEL", help="The model's name at its provider.")
    ] = "",
    base_url: Annotated[
        str, typer.Option(envvar="ARGOT_BASE_URL", help="A server of your own.")
    ] = "",
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Passages a search.")] = 8,
    searches: Annotated[int, typer.Option(min=0, help="How often the model may search again.")] = 3,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the provider.")] = 60.0,
    redact: Annotated[
        bool, typer.Option(help="Mask addresses, numbers and keys in what is sent.")
    ] = True,
    release: Release = RELEASE,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole answer as JSON, at the end.")
    ] = False,
) -> None:
    """Answer from the documents alone; every claim cites a passage, and the quotes are checked.

    ANTHROPIC_API_KEY=... argot ask "Who may release a K4 hold?"

    argot ask "What is demurrage?" --provider openai --base-url http://localhost:11434/v1 --model llama3.3

    Ends with code 3 where no model could be asked: the passages alone are printed then.
    """
    from argot.search.retriever import Retriever
    from argot.serving.ask.ask import Answer, Said, Searched
    from argot.serving.ask.ask import ask as answer

    chat, problem = _chat(provider, model, base_url, timeout)
    for event in answer(Retriever.load(release), question, chat, k, searches, redact):
        if isinstance(event, Said) and not as_json:
            typer.echo(event.text, nl=False)
        elif isinstance(event, Searched) and not as_json and event.query != question:
            typer.secho(f"\n(searched: {event.query})", dim=True, err=True)
        elif isinstance(event, Answer):
            _finish(event, problem or event.problem, as_json)


def _chat(provider: str, model: str, base_url: str, timeout: float) -> tuple[Chat | None, str]:
    """A conversation, or the reason why there is none."""
    from argot.serving.ask.ask import SYSTEM
    from argot.serving.ask.chat import of_a_conversation, open_chat

    given = next((name for name, key in KEYS.items() if os.environ.get(key)), "none")
    provider = provider or ("openai" if base_url else given)
    if provider not in (*KEYS, "none"):
        raise InputError(f"--provider must be anthropic, openai or none, got '{provider}'")
    if provider == "none":
        return None, f"no model was asked: set {' or '.join(KEYS.values())} in the environment"
    try:
        return open_chat(provider, model, of_a_conversation(base_url, timeout), SYSTEM), ""  # type: ignore[arg-type]
    except ProviderError as error:
        return None, str(error)


def _finish(answer: Answer, problem: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_plain(answer, problem), ensure_ascii=False))
    elif problem:
        typer.echo()
        print_passages(list(answer.passages))
    else:
        _sources(answer)
    if problem:
        typer.secho(f"argot: passages alone: {problem}", fg="yellow", err=True)
        raise typer.Exit(PASSAGES_ALONE)


def _plain(answer: Answer, problem: str) -> dict[str, Any]:
    claims = [{**asdict(claim), "supported": claim.supported} for claim in answer.claims]
    return {
        **asdict(answer),
        "claims": claims,
        "problem": problem,
        "told": answer.told,
        "supported": answer.supported,
    }


def _sources(answer: Answer) -> None:
    """The cited passages, and what was said without a passage that holds it."""
    cited = sorted(
        {
            citation.number
            for claim in answer.claims
            for citation in claim.citations
            if not citation.problem
        }
    )
    typer.echo("\n")
    for number in cited:
        passage = answer.passages[number - 1]
        where = f"{passage.document} › {passage.heading}" if passage.heading else passage.document
        typer.secho(f"[{number}] {where}", fg="cyan")
    for claim in answer.claims:
        if not claim.supported:
            why = "; ".join(c.problem for c in claim.citations if c.problem) or "cites no passage"
            typer.secho(f"Not proven: {claim.text} ({why})", fg="yellow", err=True)
