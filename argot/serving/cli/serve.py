"""`argot serve`: a release over HTTP, with a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from argot.errors import InputError
from argot.serving.cli.search import RELEASE, Release

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
KEY = "ARGOT_API_KEY"
NEEDS = "`argot {command}` needs the extra `serve`: pip install 'argot-retrieval[serve]'"


def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0: for everyone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name that the server answers to; else any.")
    ] = None,
    keep_questions: Annotated[
        bool, typer.Option(help="Keep what is asked, for `argot drift`.")
    ] = True,
    feedback: Annotated[Path, typer.Option(help="Folder for what is kept.")] = Path(
        "data/feedback"
    ),
    provider: Annotated[
        str, typer.Option(envvar="ARGOT_PROVIDER", help="For answers, as in `argot ask`.")
    ] = "",
    model: Annotated[
        str, typer.Option(envvar="ARGOT_MODEL", help="The model's name at its provider.")
    ] = "",
    base_url: Annotated[
        str, typer.Option(envvar="ARGOT_BASE_URL", help="A server of your own.")
    ] = "",
    concurrency: Annotated[
        int, typer.Option(min=1, help="Requests at once; more are told to come back.")
    ] = 128,
    patience: Annotated[
        float, typer.Option(min=0.01, help="Seconds for the model before BM25 answers alone.")
    ] = 3.0,
    release: Release = RELEASE,
) -> None:
    """Serve a release: a page at /, /search, /answer, /v1/embeddings, /feedback, /metrics; described at /docs.

    argot serve

    ARGOT_API_KEY=... argot serve --host 0.0.0.0

    A new release in the same folder is taken up without a restart. In a repository the page also compares the
    systems and takes judgments, for requests from this machine or with the key.
    """
    try:
        from argot.feedback.workbench import is_repository
        from argot.serving.server.settings import Limits, ServerSettings
    except ModuleNotFoundError as error:
        raise InputError(f"{NEEDS.format(command='serve')} ({error.name} is missing)") from None
    alone = host in ("127.0.0.1", "localhost", "::1")
    key = os.environ.get(KEY, "")
    settings = ServerSettings(
        release=release,
        feedback=feedback,
        api_key=key,
        device=device,
        hosts=tuple(name.lower() for name in allow_host or ()) or (LOOPBACK if alone else ()),
        keep_questions=keep_questions,
        workbench=bool(alone or key) and is_repository(),
        provider=provider,
        model=model,
        base_url=base_url,
        limits=Limits(concurrency=concurrency, patience=patience),
    )
    run(settings, host, port)


def run(settings: object, host: str, port: int, path: str = "") -> None:
    """Serve until interrupted."""
    import uvicorn

    from argot.serving.server.app import create_app

    app = create_app(settings)  # type: ignore[arg-type]
    typer.secho(f"argot: serving {settings.release} at http://{host}:{port}/{path}", err=True)  # type: ignore[attr-defined]
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=15,
    )
