"""POST /feedback: a thumb or a click for a passage, on the disk before it is acknowledged."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from argot.feedback.journal import FeedbackRecord, JournalFull, Kind, Thumb
from argot.serving.server.identities import Asking
from argot.serving.server.routes.search import Text
from argot.serving.server.state import ERRORS, ServerState

OUTCOMES: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    404: {"description": "No such passage in the release that is served now"},
    507: {"description": "The feedback files have reached their limit, or the disk is full"},
}


class FeedbackRequest(BaseModel):
    """Did this passage answer this question?"""

    model_config = ConfigDict(extra="forbid")
    query: Text
    passage: str = Field(max_length=64, description="The passage's id, as /search returned it.")
    verdict: Thumb | Literal["opened"] = Field(
        description="A thumb; or that the passage was opened, which counts only with `search`."
    )
    comment: str = Field("", max_length=1_000)
    search: str = Field("", max_length=64, description="As /search returned it.")


class FeedbackReply(BaseModel):
    """The thumb or click is on the disk."""

    kept: Literal[True] = True


def router(state: ServerState) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["feedback"], responses=OUTCOMES)
    most = state.settings.limits.query_characters

    @routes.post("/feedback")
    def feedback(given: FeedbackRequest, groups: Asking) -> FeedbackReply:
        """Keep a thumb or a click. The passage's text is read from the release, not the request."""
        release = state.release
        row = release.passage(given.passage, groups)
        if row is None and state.candidate:
            row = state.candidate.current.passage(given.passage, groups)
        if row is None:
            raise HTTPException(404, "no such passage in this release; search again")
        if len(given.query) > most:
            raise HTTPException(422, f"query: at most {most} characters")
        if given.verdict == "opened" and not given.search:
            raise HTTPException(422, "search: what was opened counts only for a search of two")
        kind: Kind = "click" if given.verdict == "opened" else "thumb"
        record = FeedbackRecord(
            kind=kind,
            query=given.query,
            verdict=given.verdict,
            document=row["document"],
            chunk=given.passage,
            quote=quoted(row),
            comment=given.comment,
            release=release.id,
            search=given.search,
        )
        try:
            state.journal.append(record).result()
        except (JournalFull, OSError) as error:
            raise HTTPException(507, f"not kept: {error}") from None
        state.metrics.feedback.labels(kind).inc()
        return FeedbackReply()

    return routes


def quoted(row: dict[str, Any]) -> str:
    """A passage word for word as its document has it, so that the quote is found there again.

    A passage from the middle of a table has the table's header repeated in front of its span.
    """
    return str(row["text"])[-max(1, row["end"] - row["start"]) :]
