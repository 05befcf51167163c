"""GET /documents/…: a document, or the passages around one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel

from argot.search.document import Document, Piece
from argot.search.retriever import Passage
from argot.serving.server.identities import Asking
from argot.serving.server.state import ERRORS, ServerState

OUTCOMES: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    404: {"description": "No such document in this release for who asks"},
}
Name = Annotated[str, Path(max_length=4_096, description="The document, as /search names it.")]
Around = Annotated[
    str, Query(max_length=64, description="A passage's id: only it and its neighbours.")
]
Count = Annotated[int, Query(ge=0, le=20, description="How many neighbours on each side.")]


class DocumentReply(BaseModel):
    """A document, put together from the release's passages."""

    document: str
    title: str
    url: str
    metadata: dict[str, Any]
    text: str
    pieces: list[Piece]


def router(state: ServerState) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["documents"], responses=OUTCOMES)

    @routes.get("/documents/{document:path}")
    def read(
        request: Request, groups: Asking, document: Name, around: Around = "", count: Count = 1
    ) -> DocumentReply:
        """A document's text, as far as it became passages; with `around`, a part of it."""
        found = state.release.retriever.document(document, groups)
        if found and around:
            found = replace(found, pieces=found.around(around, count))
        if not found or not found.pieces:
            raise HTTPException(404, "no such document or passage in this release; search again")
        return _reply(found, found.url or view(request, found.id))

    return routes


def linked(passages: Sequence[Passage], request: Request) -> list[Passage]:
    """The passages with an address each: where none is known, the server's own view."""
    return [
        replace(passage, url=passage.url or view(request, passage.document, passage.id))
        for passage in passages
    ]


def view(request: Request, document: str, passage: str = "") -> str:
    """The path of the page that shows a document, with a passage marked."""
    asked = {"document": document, **({"passage": passage} if passage else {})}
    return f"{request.app.state.server.settings.root_path}/read?{urlencode(asked)}"


def _reply(found: Document, url: str) -> DocumentReply:
    return DocumentReply(
        document=found.id,
        title=found.title,
        url=url,
        metadata=found.metadata,
        text=found.text,
        pieces=found.pieces,
    )
