"""POST /answer: what happens while a question is answered, as server-sent events, and last the answer."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, cast

from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from argot.errors import ArgotError, ProviderError
from argot.llm.calls.clients import KEYS
from argot.llm.calls.settings import Provider
from argot.search.retriever import Retriever
from argot.serving.ask.ask import SYSTEM, Answer, Said, Searched, ask
from argot.serving.ask.chat import Chat, of_a_conversation, open_chat
from argot.serving.server.routes.search import Text
from argot.serving.server.served_release import SearchOutcome, ServedRelease
from argot.serving.server.server_settings import ServerSettings
from argot.serving.server.state import ERRORS, ServerState

EVENTS: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    200: {
        "description": "Events `searched`, `said`, and last `answer` (or `failed`); each with a JSON object as data",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}
SECONDS = 60.0
PROVIDERS: tuple[Provider, ...] = ("anthropic", "openai")  # the first whose key is there


class AnswerRequest(BaseModel):
    """What to answer."""

    model_config = ConfigDict(extra="forbid")
    question: Text
    k: int = Field(8, ge=1, le=50, description="Passages a search.")
    searches: int = Field(3, ge=0, le=10, description="How often the model may search again.")


def router(state: ServerState) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["answer"])
    places = threading.BoundedSemaphore(state.settings.limits.answers)

    @routes.post("/answer", responses=EVENTS, response_class=StreamingResponse)
    def answer(asked: AnswerRequest) -> StreamingResponse:
        """Answer from the documents alone; every claim cites a passage, and the quotes are checked."""
        most = state.settings.limits.query_characters
        if len(asked.question) > most:
            raise HTTPException(422, f"question: at most {most} characters")
        if not places.acquire(blocking=False):
            raise HTTPException(
                503, "too many answers at once; come back in a second", {"Retry-After": "1"}
            )
        release = state.release
        return StreamingResponse(
            _told(asked, release, state, places), media_type="text/event-stream"
        )

    return routes


def provider_of(settings: ServerSettings) -> Provider | None:
    """Who answers: as told, or whose key stands in the environment; None where nobody can."""
    if settings.provider:
        return next((name for name in PROVIDERS if name == settings.provider), None)
    if settings.base_url:
        return "openai"
    return next((name for name in PROVIDERS if os.environ.get(KEYS[name])), None)


def _told(
    asked: AnswerRequest,
    release: ServedRelease,
    state: ServerState,
    places: threading.BoundedSemaphore,
) -> Iterator[str]:
    try:
        searcher = cast(Retriever, release)  # of a retriever, `ask` needs `search` alone
        for event in ask(searcher, asked.question, _chat(state.settings), asked.k, asked.searches):
            if isinstance(event, Said):
                yield _event("said", {"text": event.text})
            elif isinstance(event, Searched):
                yield _event("searched", {"query": event.query, "found": event.found})
            else:
                state.keep_asked(
                    asked.question, release, SearchOutcome(list(event.passages), "hybrid")
                )
                yield _event("answer", _plain(event))
    except ArgotError as error:
        yield _event("failed", {"message": " ".join(str(error).split())})
    finally:
        places.release()


def _chat(settings: ServerSettings) -> Chat | None:
    provider = provider_of(settings)
    if provider is None:
        return None
    try:
        return open_chat(
            provider, settings.model, of_a_conversation(settings.base_url, SECONDS), SYSTEM
        )
    except ProviderError:
        return None


def _plain(answer: Answer) -> dict[str, Any]:
    claims = [{**asdict(claim), "supported": claim.supported} for claim in answer.claims]
    return {**asdict(answer), "claims": claims, "told": answer.told, "supported": answer.supported}


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
