"""The application: routes behind the guard, and the page."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from argot.errors import InputError
from argot.feedback.journal import Journal
from argot.feedback.workbench import Workbench
from argot.serving.server import answer, bench, embeddings, health, search, thumbs
from argot.serving.server.guard import Guard, error_body
from argot.serving.server.metrics import Metrics
from argot.serving.server.served import Served
from argot.serving.server.service import Service
from argot.serving.server.settings import ServerSettings
from argot.serving.server.shelf import Shelf

PAGE = Path(__file__).parent / "page"
LOG = logging.getLogger("argot.serving.server")


def create_app(settings: ServerSettings) -> FastAPI:
    """The application for one release; ReleaseError if that is broken."""
    service = open_service(settings)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = (
            settings.limits.concurrency + 1
        )
        service.shelf.watch(settings.look_seconds)
        yield
        service.shelf.close()
        service.journal.close()

    app = FastAPI(
        title="Argot",
        description="Search over one team's documents, in that team's own language.",
        lifespan=living,
        docs_url=None,  # their scripts come from another host; /docs is our own
        redoc_url=None,
    )
    for module in (search, embeddings, answer, thumbs, health):
        app.include_router(module.router(service))
    if service.workbench:
        app.include_router(bench.router(service.workbench, settings.questions))
    _add_page(app)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(Exception, _bug)
    app.add_middleware(Guard, settings=settings, metrics=service.metrics)
    app.state.service = service
    return app


def open_service(settings: ServerSettings) -> Service:
    """Open release and journal."""
    metrics = Metrics()

    def open_release(folder: Path) -> Served:
        return Served(folder, settings.limits, settings.device, metrics.batch.observe)

    shelf = Shelf(settings.release, open_release)
    metrics.watch(shelf)
    journal = Journal(settings.feedback, settings.limits.feedback_bytes)
    return Service(
        settings,
        shelf,
        journal,
        metrics,
        Workbench(settings.device) if settings.workbench else None,
    )


def _add_page(app: FastAPI) -> None:
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    for path, file in (("/", "index.html"), ("/docs", "docs.html")):
        app.add_api_route(path, _file(PAGE / file), include_in_schema=False)


def _file(path: Path) -> Any:
    async def send() -> FileResponse:
        return FileResponse(path)

    return send


def _error(status: int, message: str, headers: Any = None) -> Response:
    # ASCII, because a message may repeat what can't be encoded.
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
    return _error(500, "a bug of ours; the server's log tells more")
