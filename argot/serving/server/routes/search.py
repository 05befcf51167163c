"""POST /search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from argot.search.retriever import Passage
from argot.serving.server.identities import Asking
from argot.serving.server.interleaved import SearchCall
from argot.serving.server.served_release import SearchOutcome, ServedRelease
from argot.serving.server.state import ERRORS, ServerState

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# A limit of length, even 0, makes pydantic refuse lone surrogates: they cannot be encoded.
Characters = Annotated[str, StringConstraints(min_length=0)]
Value = Characters | int | float | bool


class SearchRequest(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")
    query: Text
    k: int = Field(10, ge=1, description="How many passages.")
    mode: Characters | None = Field(
        None,
        description="hybrid: all rankers of the release, fused; bm25, dense or tokens: that one, "
        "if the release has it (/about lists them). Without a mode: as the evaluation found best.",
    )
    filter: dict[Characters, Value] = Field(
        default={},
        max_length=16,
        description='Only documents with this metadata, such as {"year": 2026}.',
    )
    explain: bool = Field(
        False, description="Also return the words of each passage that match words of the query."
    )


@dataclass(frozen=True)
class FoundPassage(Passage):
    """A passage as `Retriever.search` returns it, and which of its words match, if asked for."""

    matched: list[str] | None = None


class SearchReply(BaseModel):
    """The passages, best first."""

    query: str
    mode: str
    notice: str = Field(
        description="Why the result is less than it could be: the model failed and BM25 answered "
        "alone, or the query is longer than the model's window. Usually empty."
    )
    nothing_fits: bool = Field(
        description="Perhaps no passage answers: the best one's probability is below the release's "
        "threshold."
    )
    release: str
    passages: list[FoundPassage]
    search: str = Field(
        description="Send it back with /feedback. Not empty where the passages are those of two "
        "releases, so that scores can't be compared."
    )


def router(state: ServerState) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["search"], responses=ERRORS)
    limits = state.settings.limits

    @routes.post("/search")
    def search(asked: SearchRequest, groups: Asking) -> SearchReply:
        """Find the passages that answer a question best."""
        if len(asked.query) > limits.query_characters:
            raise HTTPException(422, f"query: at most {limits.query_characters} characters")
        if asked.k > limits.passages:
            raise HTTPException(422, f"k: at most {limits.passages}")
        release = state.release
        outcome = release.find(asked.query, asked.k, asked.mode, asked.filter, groups)
        mixed = None
        if asked.mode in (None, release.manifest.verdict.mode):
            call = SearchCall(asked.query, asked.k, asked.filter, groups)
            mixed = state.interleave(call, release, outcome)
        state.keep_asked(asked.query, release, outcome, mixed)
        found = [
            FoundPassage(
                **vars(passage),
                matched=release.matched(asked.query, passage) if asked.explain else None,
            )
            for passage in (mixed.passages if mixed else outcome.passages)
        ]
        return SearchReply(
            query=asked.query,
            mode=outcome.mode,
            notice=_notice(asked.query, release, outcome),
            nothing_fits=release.retriever.nothing_fits(outcome.passages),
            release=release.id,
            passages=found,
            search=mixed.search if mixed else "",
        )

    return routes


def _notice(query: str, release: ServedRelease, outcome: SearchOutcome) -> str:
    if outcome.problem:
        return f"found by words alone: {outcome.problem}"
    return "" if outcome.mode == "bm25" else release.cut_off(query)
