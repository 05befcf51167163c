"""`argot serve`: a release over HTTP, with a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from argot.errors import InputError
from argot.serving.cli.search import RELEASE, Release

if TYPE_CHECKING:
    from argot.serving.server.server_settings import ServerSettings

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
KEY = "ARGOT_API_KEY"
NEEDS = "a server needs the extra `serve`: pip install 'argot-retrieval[serve]'"


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0: all of this machine's.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(help="Access rights: who may ask, and their groups, as in SECURITY.md."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A host name to answer to. Default: any."),
    ] = None,
    keep_questions: Annotated[
        bool, typer.Option(help="Keep users' questions, for `argot drift`.")
    ] = True,
    feedback: Annotated[
        Path, typer.Option(help="Folder for questions and thumbs of users.")
    ] = Path("data/feedback"),
    provider: Annotated[
        str, typer.Option(envvar="ARGOT_PROVIDER", help="Who answers questions, as in `argot ask`.")
    ] = "",
    model: Annotated[
        str, typer.Option(envvar="ARGOT_MODEL", help="The model's name at its provider.")
    ] = "",
    base_url: Annotated[
        str, typer.Option(envvar="ARGOT_BASE_URL", help="A server of your own.")
    ] = "",
    concurrency: Annotated[
        int, typer.Option(min=1, help="Requests at the same time; any more get status 503.")
    ] = 128,
    patience: Annotated[
        float, typer.Option(min=0.01, help="Seconds for the model before BM25 answers alone.")
    ] = 3.0,
    release: Release = RELEASE,
) -> None:
    """Serve a release over HTTP, with a page at / and a description of all routes at /docs.

    argot serve

    ARGOT_API_KEY=... argot serve --host 0.0.0.0

    A new release in the same folder replaces the old one without a restart. In a repository the
    page also compares systems and labels questions, if the server listens to this machine alone or
    asks for a key.
    """
    from argot.feedback.workbench import is_repository
    from argot.serving.server.server_settings import RequestLimits, ServerSettings

    local = host in ("127.0.0.1", "localhost", "::1")
    key = os.environ.get(KEY, "")
    if key and keys:
        raise InputError(
            f"give either {KEY} or --keys: with groups, everybody has a key of their own"
        )
    settings = ServerSettings(
        release=release,
        feedback=feedback,
        api_key=key,
        keys=keys,
        device=device,
        hosts=tuple(name.lower() for name in allow_host or ()) or (LOOPBACK if local else ()),
        keep_questions=keep_questions,
        workbench=bool(local or key) and is_repository(),
        provider=provider,
        model=model,
        base_url=base_url,
        limits=RequestLimits(concurrency=concurrency, patience=patience),
    )
    serve_app(settings, host, port)


def serve_app(settings: ServerSettings, host: str, port: int, path: str = "") -> None:
    """Serve until interrupted; InputError where the libraries of the extra `serve` are missing."""
    try:
        import uvicorn

        from argot.serving.server.app import create_app
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is missing; {NEEDS}") from None

    app = create_app(settings)
    typer.secho(f"argot: serving {settings.release} at http://{host}:{port}/{path}", err=True)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=15,
    )
