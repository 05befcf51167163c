"""POST /feedback: a thumb for a passage, on the disk before it is acknowledged."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from argot.feedback.journal import Full, Record, Verdict
from argot.serving.server.search import Text
from argot.serving.server.service import ERRORS, Service

OUTCOMES: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    404: {"description": "No such passage in the release that is served now"},
    507: {"description": "The feedback files are full, or the disk is"},
}


class FeedbackRequest(BaseModel):
    """Did this passage answer this question?"""

    model_config = ConfigDict(extra="forbid")
    query: Text
    passage: str = Field(max_length=64, description="The passage's id, as /search gave it.")
    verdict: Verdict
    comment: str = Field("", max_length=1_000)


class FeedbackReply(BaseModel):
    """It is on the disk."""

    kept: Literal[True] = True


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["feedback"], responses=OUTCOMES)

    @routes.post("/feedback")
    def feedback(given: FeedbackRequest) -> FeedbackReply:
        """Keep a thumb up or down. What the passage says is taken from the release, never from the request."""
        served = service.served
        row = served.passage(given.passage)
        if row is None:
            raise HTTPException(404, "no such passage in this release; search again")
        if len(given.query) > service.settings.limits.query_characters:
            raise HTTPException(
                422, f"query: at most {service.settings.limits.query_characters} characters"
            )
        record = Record(
            kind="thumb",
            query=given.query,
            verdict=given.verdict,
            document=row["document"],
            chunk=given.passage,
            quote=row["text"],
            comment=given.comment,
            release=served.id,
        )
        try:
            service.journal.append(record).result()
        except (Full, OSError) as error:
            raise HTTPException(507, f"not kept: {error}") from None
        service.metrics.feedback.labels("thumb").inc()
        return FeedbackReply()

    return routes
