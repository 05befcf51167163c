"""POST /answer: server-sent events while a question is answered, the last being the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from argot.errors import ArgotError
from argot.llm.providers.base import Provider
from argot.search.retriever import Passage
from argot.serving.ask.ask import Said, Search, Searched, ask
from argot.serving.ask.chat import chosen_provider, open_chat
from argot.serving.server.identities import Asking
from argot.serving.server.routes.documents import linked
from argot.serving.server.routes.search import Text
from argot.serving.server.served_release import SearchOutcome, ServedRelease
from argot.serving.server.server_settings import ServerSettings
from argot.serving.server.state import ERRORS, ServerState

EVENTS: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    200: {
        "description": "Events `searched`, `said`, and last `answer` (or `failed`); "
        "each with a JSON object as data",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}
SECONDS = 60.0  # for one call of the provider


class AnswerRequest(BaseModel):
    """What to answer."""

    model_config = ConfigDict(extra="forbid")
    question: Text
    k: int = Field(8, ge=1, le=50, description="Passages a search.")
    searches: int = Field(3, ge=0, le=10, description="How often the model may search again.")


def router(state: ServerState) -> APIRouter:
    """The route; InputError where the settings name an unknown provider."""
    provider_of(state.settings)
    routes = APIRouter(tags=["answer"])
    places = asyncio.Semaphore(state.settings.limits.answers)

    async def place() -> AsyncIterator[None]:
        """Hold a place until the reply has ended: FastAPI comes back here whatever ended it."""
        # Answers wait for the provider, so only a few at once may hold the server's threads.
        if places.locked():
            raise HTTPException(
                503, "too many answers at once; come back in a second", {"Retry-After": "1"}
            )
        async with places:
            yield

    @routes.post(
        "/answer",
        responses=EVENTS,
        response_class=StreamingResponse,
        dependencies=[Depends(place)],
    )
    def answer(asked: AnswerRequest, request: Request, groups: Asking) -> StreamingResponse:
        """Answer from the documents alone: claims that quote passages, the quotes checked."""
        most = state.settings.limits.query_characters
        if len(asked.question) > most:
            raise HTTPException(422, f"question: at most {most} characters")
        release = state.release

        def search(query: str, k: int) -> list[Passage]:
            return linked(release.search(query, k, groups=groups), request)

        events = _events(asked, search, release, state)
        return StreamingResponse(events, media_type="text/event-stream")

    return routes


def provider_of(settings: ServerSettings) -> Provider | None:
    """Who answers, as the settings say; None where nobody can."""
    return chosen_provider(settings.provider, settings.base_url)


def _events(
    asked: AnswerRequest,
    search: Search,
    release: ServedRelease,
    state: ServerState,
) -> Iterator[str]:
    settings = state.settings
    provider = provider_of(settings)
    chat = partial(open_chat, provider, settings.model, settings.base_url, SECONDS)
    try:
        for event in ask(search, asked.question, chat, asked.k, asked.searches):
            if isinstance(event, Said):
                yield _event("said", {"text": event.text})
            elif isinstance(event, Searched):
                yield _event("searched", {"query": event.query, "found": event.found})
            else:
                outcome = SearchOutcome(list(event.passages), release.manifest.verdict.mode)
                state.keep_asked(asked.question, release, outcome)
                yield _event("answer", event.as_json())
    except ArgotError as error:
        yield _event("failed", {"message": " ".join(str(error).split())})


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
