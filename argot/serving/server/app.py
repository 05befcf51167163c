"""The application: the routes, the page, and the guard before both."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, Response
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from argot.errors import InputError, ReleaseError
from argot.feedback.journal import Journal
from argot.feedback.workbench import Workbench
from argot.serving.server.guard import Guard, error_body
from argot.serving.server.identities import Identify, read_identities
from argot.serving.server.interleaved import PATIENCE
from argot.serving.server.prometheus import ServerMetrics
from argot.serving.server.release_watcher import ReleaseWatcher
from argot.serving.server.routes import (
    answer,
    documents,
    embeddings,
    feedback,
    health,
    search,
    workbench,
)
from argot.serving.server.served_release import ServedRelease
from argot.serving.server.server_settings import RequestLimits, ServerSettings
from argot.serving.server.state import ServerState
from argot.serving.server.traces import trace

PAGE = Path(__file__).parent / "page"
WITH_RIGHTS = (
    "has access rights: serve it with --keys FILE (SECURITY.md), "
    "and judge its passages by `argot label --terminal`"
)
WITHOUT_RIGHTS = (
    "has no access rights, so the groups of --keys would hide nothing: set index.groups: true in "
    "params.yaml and run `dvc repro`, or leave out --keys"
)
LOG = logging.getLogger("argot.serving.server")


def create_app(settings: ServerSettings) -> FastAPI:
    """The application for one release; ReleaseError if the release is broken."""
    state = open_state(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A thread for each request that the guard lets in: no request waits for another's thread.
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = settings.limits.concurrency + 1
        watchers = [state.watcher, *([state.candidate] if state.candidate else [])]
        for watcher in watchers:
            watcher.watch(settings.look_seconds)
        yield
        for watcher in watchers:
            watcher.close()
        state.journal.close()
        if traces:
            traces.shutdown()

    app = FastAPI(
        title="Argot",
        description="Search over one team's documents, in that team's own language.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads scripts from another host; /docs is the project's own
        redoc_url=None,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        # For the description alone: generated clients learn of the key. Guard checks it.
        dependencies=[Depends(HTTPBearer(auto_error=False))] if settings.asks_for_key else [],
    )
    for module in (search, documents, embeddings, answer, feedback, health):
        app.include_router(module.router(state))
    if state.workbench:
        app.include_router(workbench.router(state.workbench, settings.questions))
    _add_page(app)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(Exception, _bug)
    if state.identities:
        app.add_middleware(Identify, identities=state.identities)
    app.add_middleware(Guard, settings=settings, metrics=state.metrics)
    if settings.origins:  # outside the guard: a browser asks first without a key
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
        )
    traces = trace(app)
    app.state.server = state
    return app


def open_state(settings: ServerSettings) -> ServerState:
    """Open the release and the journal."""
    metrics = ServerMetrics()
    identities = read_identities(settings.keys) if settings.keys else None

    def open_release(folder: Path, limits: RequestLimits = settings.limits) -> ServedRelease:
        release = ServedRelease(folder, limits, settings.device, metrics.batch.observe)
        # A new release without rights must not replace one that has them, nor the other way round.
        if release.manifest.groups != (identities is not None):
            release.close()
            raise ReleaseError(f"{folder} {WITH_RIGHTS if identities is None else WITHOUT_RIGHTS}")
        return release

    watcher = ReleaseWatcher(settings.release, open_release)
    metrics.watch(watcher)
    candidate = None
    if settings.candidate:
        hurried = replace(settings.limits, patience=min(PATIENCE, settings.limits.patience))
        candidate = ReleaseWatcher(settings.candidate, partial(open_release, limits=hurried))
    journal = Journal(settings.feedback, settings.limits.feedback_bytes, settings.keep_days)
    # The workbench shows every passage, so it is never served to groups.
    owned = settings.workbench and identities is None
    owners = Workbench(settings.device) if owned else None
    return ServerState(settings, watcher, candidate, journal, metrics, owners, identities)


def _add_page(app: FastAPI) -> None:
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    for path, file in (("/", "index.html"), ("/docs", "docs.html"), ("/read", "read.html")):
        send = _file(PAGE / file)
        app.add_api_route(path, send, include_in_schema=False)


def _file(path: Path) -> Any:
    async def send() -> FileResponse:
        return FileResponse(path)

    return send


def _error(status: int, message: str, headers: Any = None) -> Response:
    # ASCII: a message may quote a lone surrogate of the request, which UTF-8 cannot encode.
    return Response(json.dumps(error_body(status, message)), status, headers, "application/json")


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, str(error.detail), error.headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "json_invalid":
        return _error(400, "the body is not JSON")
    return _error(422, f"{where}: {first['msg']}" if where else str(first["msg"]))


async def _input_error(_: Request, error: Exception) -> Response:
    return _error(422, " ".join(str(error).split()))


async def _bug(_: Request, error: Exception) -> Response:
    LOG.error("a bug: %s", type(error).__name__, exc_info=error)
    return _error(500, "a bug in Argot; the server's log has the traceback")
