"""`argot serve`: a release over HTTP, with a page."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import typer

from argot.core.terminal import printable
from argot.errors import InputError
from argot.serving.cli.ask import BaseUrl, Model
from argot.serving.cli.search import RELEASE, Release

if TYPE_CHECKING:
    from argot.serving.server.server_settings import ServerSettings

KEY = "ARGOT_API_KEY"


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
        typer.Option(help="A host name to answer to, besides addresses; as behind a proxy."),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="A site whose pages may ask this server: https://intranet.example.com."),
    ] = None,
    root_path: Annotated[
        str, typer.Option(help="The sub-path at which a proxy serves this server: /search.")
    ] = "",
    everyone: Annotated[
        bool, typer.Option("--open", help="Let everyone in who reaches it, without a key.")
    ] = False,
    keep_questions: Annotated[
        bool, typer.Option(help="Keep users' questions, for `argot drift`.")
    ] = True,
    keep_days: Annotated[
        int,
        typer.Option(min=0, help="Delete questions, clicks, thumbs after so many days; 0: never."),
    ] = 0,
    feedback: Annotated[
        Path, typer.Option(help="Folder for questions and thumbs of users.")
    ] = Path("data/feedback"),
    provider: Annotated[
        str, typer.Option(envvar="ARGOT_PROVIDER", help="Who answers questions, as in `argot ask`.")
    ] = "",
    model: Model = "",
    base_url: BaseUrl = "",
    concurrency: Annotated[
        int, typer.Option(min=1, help="Requests at the same time; any more get status 503.")
    ] = 128,
    patience: Annotated[
        float, typer.Option(min=0.01, help="Seconds for the model before BM25 answers alone.")
    ] = 3.0,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        typer.Option(metavar="LEVEL", help="error, warning, info (requests) or debug (probes)."),
    ] = "info",
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="json: an object a line, for collectors.")
    ] = "text",
    release: Release = RELEASE,
    candidate: Annotated[
        Path | None,
        typer.Option(help="A release on trial: results are mixed, for `argot interleaving`."),
    ] = None,
) -> None:
    """Serve a release over HTTP, with a page at / and a description of all routes at /docs.

    argot serve

    ARGOT_API_KEY=... argot serve --host 0.0.0.0

    ARGOT_API_KEY=... argot serve --allow-host search.example.com    # behind a proxy

    A new release in the same folder replaces the old one without a restart. Where other machines
    can reach the server (by --host or --allow-host) it needs a key, or --open. In a repository the
    page also compares systems and labels questions, but only where no other machine can reach it.
    """
    from argot.feedback.workbench import is_repository
    from argot.serving.server.server_settings import RequestLimits, ServerSettings

    if candidate and not keep_questions:
        raise InputError("--candidate needs the questions: leave out --no-keep-questions")
    names = tuple(name.lower() for name in allow_host or ())
    public = everyone or bool(names) or not is_loopback(host)
    settings = ServerSettings(
        release=release,
        feedback=feedback,
        candidate=candidate,
        api_key=api_key(public, everyone, keys),
        keys=keys,
        device=device,
        hosts=names,
        origins=tuple(map(origin_of, cors_origin or ())),
        root_path=checked_root(root_path),
        public=public,
        keep_questions=keep_questions,
        keep_days=keep_days,
        workbench=not public and is_repository(),
        provider=provider,
        model=model,
        base_url=base_url,
        limits=RequestLimits(concurrency=concurrency, patience=patience),
    )
    log_to_terminal(log_level, log_format)
    serve_app(settings, host, port)


def origin_of(site: str) -> str:
    """An origin as browsers send it; InputError for anything else, such as *."""
    parts = urlsplit(site)
    if parts.scheme not in ("http", "https") or site != f"{parts.scheme}://{parts.netloc.lower()}":
        raise InputError(f"--cors-origin expects a site such as https://example.com, got '{site}'")
    return site


def checked_root(path: str) -> str:
    """A sub-path; InputError where it does not begin with a slash, or ends with one."""
    if path and (not path.startswith("/") or path.endswith("/")):
        raise InputError(f"--root-path expects a path such as /search, got '{path}'")
    return path


def is_loopback(host: str) -> bool:
    """Is this an address that only this machine can reach? A name other than localhost is not."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def api_key(public: bool, everyone: bool, keys: Path | None) -> str:
    """The key in the environment; InputError where a key is needed, or set and not wanted."""
    key = os.environ.get(KEY, "").strip()
    if key and keys:
        raise InputError(
            f"{KEY} is one key for all, and --keys one for each: leave one of them out"
        )
    if (key or keys) and everyone:
        asking = KEY if key else "--keys"
        raise InputError(f"{asking} asks for a key, and --open for none: leave one of them out")
    if public and not (key or keys or everyone):
        raise InputError(
            f"other machines could reach this server, and read every document: set {KEY}, or let "
            "everyone in by --open"
        )
    return key


def serve_app(settings: ServerSettings, host: str, port: int, path: str = "") -> None:
    """Serve until interrupted.

    Raises InputError where the port is taken.
    """
    import uvicorn

    from argot.serving.server.app import create_app
    from argot.serving.server.connection import TimedConnection

    with listening_socket(host, port) as held:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{held.getsockname()[1]}/{path}"
        app = create_app(settings)
        typer.secho(f"argot: serving {settings.release} at {address}", err=True)
        if settings.public and not settings.asks_for_key:
            typer.secho(
                "argot: warning: open: whoever reaches this address can read every document",
                fg="yellow",
                err=True,
            )
        config = uvicorn.Config(
            app,
            http=TimedConnection,
            ws="none",
            log_config=None,
            log_level="error",  # a line for each malformed request would let anyone fill the log
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=15,
        )
        uvicorn.Server(config).run(sockets=[held])


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; InputError where the address or the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        held = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InputError(f"cannot listen at {host}, port {port}: {error.strerror}") from None
    # A reply is two writes, its head and its body. Without this the second waits until the client
    # has confirmed the first: 40 ms. Each connection inherits it; asyncio does not set it on a
    # socket that it is given.
    held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return held


def log_to_terminal(level: str = "info", format: str = "text") -> None:
    """Send the log to standard error: a line a message, its time first, no control characters."""
    handler = logging.StreamHandler()
    line = "%(asctime)s %(levelname)s %(message)s"
    handler.setFormatter(_JsonFormatter() if format == "json" else _PrintableFormatter(line))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("argot").setLevel(level.upper())


class _PrintableFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _JsonFormatter(logging.Formatter):
    """An object with time, level and message, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"time": time, "level": record.levelname.lower(), "message": super().format(record)}
        return json.dumps({**told, **getattr(record, "fields", {})})
