"""Search: GET and POST /search for one question, POST /search/batch for several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from argot.search.retriever import Passage
from argot.serving.server.identities import Asking
from argot.serving.server.interleaved import Interleaved, SearchCall
from argot.serving.server.routes.documents import linked
from argot.serving.server.served_release import SearchOutcome, ServedRelease
from argot.serving.server.state import ERRORS, ServerState

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# A limit of length, even 0, makes pydantic refuse lone surrogates: they cannot be encoded.
Characters = Annotated[str, StringConstraints(min_length=0)]
Value = Characters | int | float | bool


class SearchOptions(BaseModel):
    """How to search."""

    model_config = ConfigDict(extra="forbid")
    k: int = Field(10, ge=1, description="How many passages.")
    mode: Characters | None = Field(
        None,
        description="hybrid: all rankers of the release, fused; bm25, dense or tokens: that one, "
        "if the release has it (/about lists them). Without a mode: as the evaluation found best.",
    )


class SearchQuery(SearchOptions):
    """What to look for, in an address: /search?q=pump&k=3."""

    q: Text


class FilteredOptions(SearchOptions):
    """How to search, and among which documents."""

    filter: dict[Characters, Value] = Field(
        default={},
        max_length=16,
        description='Only documents with this metadata, such as {"year": 2026}.',
    )


class SearchRequest(FilteredOptions):
    """What to look for."""

    query: Text
    explain: bool = Field(
        False, description="Also return the words of each passage that match words of the query."
    )


class BatchRequest(FilteredOptions):
    """Several questions, searched in the same way."""

    queries: list[Text] = Field(min_length=1, max_length=64)


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
        "alone, the query is longer than the model's window, or no document passes the filter. "
        "Usually empty."
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


class BatchReply(BaseModel):
    """A reply for each question, in the order of the questions."""

    replies: list[SearchReply]


def router(state: ServerState) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["search"], responses=ERRORS)

    @routes.get("/search")
    def search_by_address(
        asked: Annotated[SearchQuery, Query()], request: Request, groups: Asking
    ) -> SearchReply:
        """As POST /search, for a browser or curl. Proxies log addresses, so questions too."""
        options = SearchRequest(query=asked.q, k=asked.k, mode=asked.mode)
        return search(options, request, groups)

    @routes.post("/search")
    def search(asked: SearchRequest, request: Request, groups: Asking) -> SearchReply:
        """Find the passages that answer a question best."""
        release = state.release
        (outcome,) = _find(release, asked, [asked.query], groups)
        mixed = None
        if asked.mode in (None, release.manifest.verdict.mode):
            call = SearchCall(asked.query, asked.k, asked.filter, groups)
            mixed = state.interleave(call, release, outcome)
        state.keep_asked(asked.query, release, outcome, mixed)
        return _reply(release, asked.query, outcome, request, asked.explain, mixed)

    @routes.post("/search/batch")
    def search_batch(asked: BatchRequest, request: Request, groups: Asking) -> BatchReply:
        """Search for several questions at once. They are not kept: programs ask them, not users."""
        release = state.release
        outcomes = _find(release, asked, asked.queries, groups)
        found = zip(asked.queries, outcomes, strict=True)
        replies = [_reply(release, query, outcome, request) for query, outcome in found]
        return BatchReply(replies=replies)

    return routes


def _find(
    release: ServedRelease,
    asked: FilteredOptions,
    queries: Sequence[str],
    groups: frozenset[str] | None,
) -> list[SearchOutcome]:
    """What is found for each query; an error where the server's limits are passed."""
    limits = release.limits
    if any(len(query) > limits.query_characters for query in queries):
        raise HTTPException(422, f"query: at most {limits.query_characters} characters")
    if asked.k > limits.passages:
        raise HTTPException(422, f"k: at most {limits.passages}")
    found = release.find_many(queries, asked.k, asked.mode, asked.filter, groups)
    if asked.filter and not all(outcome.passages for outcome in found):
        unmet = release.retriever.unmet(asked.filter, groups)
        return [replace(outcome, unmet=unmet) for outcome in found]
    return found


def _reply(
    release: ServedRelease,
    query: str,
    outcome: SearchOutcome,
    request: Request,
    explain: bool = False,
    mixed: Interleaved | None = None,
) -> SearchReply:
    passages = mixed.passages if mixed else outcome.passages
    found = [
        FoundPassage(**vars(passage), matched=release.matched(query, passage) if explain else None)
        for passage in linked(passages, request)
    ]
    return SearchReply(
        query=query,
        mode=outcome.mode,
        notice=_notice(query, release, outcome),
        nothing_fits=release.retriever.nothing_fits(outcome.passages),
        release=release.id,
        passages=found,
        search=mixed.search if mixed else "",
    )


def _notice(query: str, release: ServedRelease, outcome: SearchOutcome) -> str:
    if outcome.unmet:
        return outcome.unmet
    if outcome.problem:
        return f"found by words alone: {outcome.problem}"
    return "" if outcome.mode == "bm25" else release.cut_off(query)
