"""Is the server alive, is it ready, what does it serve, and what has it counted?

All but /about are coroutines: they need no thread, and so they answer however busy the pool is.
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from argot.serving.server.identities import Asking
from argot.serving.server.routes.answer import provider_of
from argot.serving.server.state import ERRORS, ServerState

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class AliveReply(BaseModel):
    """The process answers."""

    alive: Literal[True] = True


class ReadyReply(BaseModel):
    """The release and its model; `problem`: why the model failed, or a new release was refused."""

    ready: bool
    release: str
    model: Literal["loading", "ready", "failed"]
    problem: str


def router(state: ServerState) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> AliveReply:
        """Is the process alive?"""
        return AliveReply()

    @routes.get(
        "/readyz",
        responses={503: {"model": ReadyReply, "description": "The model is still loading"}},
    )
    async def readyz(response: Response) -> ReadyReply:
        """May traffic be sent here? Yes too if the model failed: BM25 answers, and says so."""
        release = state.release
        loaded = release.batcher.ready.is_set()
        response.status_code = 200 if loaded or not release.needs_model else 503
        return ReadyReply(
            ready=response.status_code == 200,
            release=release.id,
            model="failed" if release.batcher.problem else "ready" if loaded else "loading",
            problem=state.watcher.problem or release.batcher.problem,
        )

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={**ERRORS, 200: {"content": {"text/plain": {}}}},
    )
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(state.metrics.page(), media_type=TEXT)

    @routes.get("/about", responses=ERRORS)
    def about(groups: Asking) -> dict[str, Any]:
        """What the page needs: which release this is, and which views work here."""
        release = state.release
        manifest = release.manifest
        return {
            "release": release.id,
            **release.counts(groups),
            "model": manifest.verdict.model,
            "verdict": manifest.verdict.verdict,
            "mode": manifest.verdict.mode,
            "rankers": list(manifest.rankers),
            "answers": provider_of(state.settings) is not None,
            "workbench": state.workbench is not None,
        }

    return routes
