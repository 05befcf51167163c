"""Is it alive, is it ready, what does it serve, and what has it counted?

These routes need no thread of the pool, so that they answer however busy the server is.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from argot.serving.server.answer import provider_of
from argot.serving.server.service import ERRORS, Service

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Alive(BaseModel):
    """The process answers."""

    alive: Literal[True] = True


class Ready(BaseModel):
    """The release and its model; `problem` is why a model failed, or a new release was refused."""

    ready: bool
    release: str
    model: Literal["loading", "ready", "failed", "not needed"]
    problem: str


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> Alive:
        """Is the process alive?"""
        return Alive()

    @routes.get(
        "/readyz", responses={503: {"model": Ready, "description": "The model is still loading"}}
    )
    async def readyz(response: Response) -> Ready:
        """May traffic be sent here? A release whose model failed is ready, by BM25 alone, and says so."""
        served = service.served
        loaded = served.batcher.ready.is_set()
        response.status_code = 200 if loaded or not served.needs_model else 503
        model: Any = "failed" if served.batcher.problem else "ready" if loaded else "loading"
        problem = service.shelf.problem or served.batcher.problem
        return Ready(
            ready=response.status_code == 200, release=served.id, model=model, problem=problem
        )

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={**ERRORS, 200: {"content": {"text/plain": {}}}},
    )
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.metrics.page(), media_type=TEXT)

    @routes.get("/about", responses=ERRORS)
    async def about() -> dict[str, Any]:
        """What the page must know: the release, and what can be done with it here."""
        manifest = service.served.manifest
        return {
            "release": service.served.id,
            "passages": manifest.passages,
            "documents": manifest.figures.get("documents", 0),
            "model": manifest.verdict.model,
            "verdict": manifest.verdict.verdict,
            "mode": manifest.verdict.mode,
            "answers": provider_of(service.settings) is not None,
            "workbench": service.workbench is not None,
        }

    return routes
