"""POST /search."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from argot.search.fusion import Mode
from argot.serving.server.service import ERRORS, Service

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Value = str | int | float | bool


class SearchRequest(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")
    query: Text
    k: int = Field(10, ge=1, description="How many passages.")
    mode: Mode | None = Field(
        None, description="As the evaluation found best, where none is given."
    )
    filter: dict[str, Value] = Field(
        default={},
        max_length=16,
        description='Only documents with this metadata, such as {"year": 2026}.',
    )
    explain: bool = Field(
        False, description="Tell which words of each passage the query's words matched."
    )


class FoundPassage(BaseModel):
    """A passage, and why it was found."""

    id: str
    text: str
    document: str
    title: str
    heading: str
    start: int
    end: int
    metadata: dict[str, Any]
    score: float
    rank: int
    ranks: dict[str, int]
    matched: list[str] | None = None


class SearchReply(BaseModel):
    """The passages, best first."""

    query: str
    mode: Mode
    notice: str = Field(
        description="What the asker should know: that BM25 answered alone, say. Else empty."
    )
    release: str
    passages: list[FoundPassage]


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["search"], responses=ERRORS)
    limits = service.settings.limits

    @routes.post("/search")
    def search(asked: SearchRequest) -> SearchReply:
        """Find the passages that answer a question best."""
        if len(asked.query) > limits.query_characters:
            raise HTTPException(422, f"query: at most {limits.query_characters} characters")
        if asked.k > limits.passages:
            raise HTTPException(422, f"k: at most {limits.passages}")
        served = service.served
        found = served.find(asked.query, asked.k, asked.mode, asked.filter)
        service.keep_asked(asked.query, served, found)
        passages = [FoundPassage(**asdict(passage)) for passage in found.passages]
        if asked.explain:
            for passage, shown in zip(found.passages, passages, strict=True):
                shown.matched = served.matched(asked.query, passage)
        return SearchReply(
            query=asked.query,
            mode=found.mode,
            notice=found.notice,
            release=served.id,
            passages=passages,
        )

    return routes
