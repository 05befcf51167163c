"""The owner's routes: systems side by side, and labelling. Only where the server runs in a repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from argot.feedback import label
from argot.feedback.label import POOL
from argot.feedback.workbench import Workbench
from argot.serving.server.search import Text
from argot.serving.server.service import ERRORS

SHOWN = 10
RANKED = 100


class Question(BaseModel):
    """A question by hand."""

    model_config = ConfigDict(extra="forbid")
    query: Text = Field(max_length=2_000)


class Choice(BaseModel):
    """A passage that answers, and the words of it that do."""

    model_config = ConfigDict(extra="forbid")
    chunk: str = Field(max_length=64)
    quote: str = Field(
        "", max_length=20_000, description="What was selected; the whole passage where it is empty."
    )


class Judged(BaseModel):
    """A person's judgment; nothing relevant means that no passage answers."""

    model_config = ConfigDict(extra="forbid")
    query: Text = Field(max_length=2_000)
    relevant: list[Choice] = Field(max_length=POOL)


def router(workbench: Workbench, given: Sequence[str]) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["workbench"], responses=ERRORS)

    @routes.post("/compare")
    def compare(asked: Question) -> dict[str, Any]:
        """The best passages of each system, and where each passage stands in all of them."""
        rankings = workbench.search(asked.query)
        ranks: dict[str, dict[str, int]] = {}
        for system, places in rankings.items():
            for place in places[:RANKED]:
                ranks.setdefault(place.id, {})[system] = place.rank
        shown = {
            system: [asdict(place) for place in places[:SHOWN]]
            for system, places in rankings.items()
        }
        ids = dict.fromkeys(place["id"] for places in shown.values() for place in places)
        rows = {id: workbench.passage(id) for id in ids}
        passages = {
            id: {**{key: row[key] for key in ("document", "heading", "text")}, "ranks": ranks[id]}
            for id, row in rows.items()
        }
        return {"systems": shown, "passages": passages}

    @routes.get("/label/questions")
    def questions() -> dict[str, Any]:
        """What is still to be judged, and how many are."""
        return {"waiting": label.waiting(given), "judged": len(label.judged())}

    @routes.post("/label/pool")
    def pool(asked: Question) -> dict[str, Any]:
        """The passages to judge for a question, from all systems, in an order that tells nothing."""
        return {"query": asked.query, "passages": label.candidates(workbench, asked.query)}

    @routes.post("/label")
    def judge(given: Judged) -> dict[str, Any]:
        """Keep a judgment in data/queries/."""
        relevant = [
            label.judgment(workbench, choice.chunk, choice.quote) for choice in given.relevant
        ]
        label.keep(given.query, relevant)
        return {"kept": True, "judged": len(label.judged())}

    return routes
