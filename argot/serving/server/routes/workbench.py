"""The owner's routes: compare the systems of a repository, and judge passages.

They exist only where the server runs in a repository in which the pipeline has run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from argot.evaluation.names import BM25, name
from argot.feedback import label
from argot.feedback.label import POOL
from argot.feedback.workbench import Place, Workbench
from argot.serving.server.routes.search import Text
from argot.serving.server.state import ERRORS

SHOWN = 10  # passages of each system
RANKED = 100  # how far down a passage of one system is looked for in the others


class QuestionRequest(BaseModel):
    """A question to compare systems by, or to judge."""

    model_config = ConfigDict(extra="forbid")
    query: Text = Field(max_length=2_000)


class RelevantPassage(BaseModel):
    """A passage that answers the question, and the words of it that do."""

    model_config = ConfigDict(extra="forbid")
    chunk: str = Field(max_length=64)
    quote: str = Field(
        "", max_length=20_000, description="The words that answer; empty: the whole passage."
    )


class JudgmentRequest(BaseModel):
    """A person's judgment; an empty list says that no passage answers the question."""

    model_config = ConfigDict(extra="forbid")
    query: Text = Field(max_length=2_000)
    relevant: list[RelevantPassage] = Field(max_length=POOL)


def router(workbench: Workbench, given: Sequence[str]) -> APIRouter:
    """The routes; `given` are questions to judge before those that users asked."""
    routes = APIRouter(tags=["workbench"], responses=ERRORS)

    @routes.post("/compare")
    def compare(asked: QuestionRequest) -> dict[str, Any]:
        """Which system ships, each one's best passages, and their ranks in all systems."""
        rankings = workbench.search(asked.query)
        best = {system: rankings[system][:SHOWN] for system in side_by_side(rankings)}
        return {
            "names": {system: name(system) for system in best},
            "ships": workbench.ships,
            "systems": {system: [asdict(place) for place in best[system]] for system in best},
            "passages": _passages(workbench, best, _ranks(rankings)),
        }

    @routes.get("/label/questions")
    def questions() -> dict[str, Any]:
        """The questions that wait for a judgment, and how many have one."""
        return {"waiting": label.waiting(given), "judged": len(label.judged())}

    @routes.post("/label/pool")
    def pool(asked: QuestionRequest) -> dict[str, Any]:
        """The best passages of all systems, in an order that does not show who found them."""
        return {"query": asked.query, "passages": label.candidates(workbench, asked.query)}

    @routes.post("/label")
    def judge(given: JudgmentRequest) -> dict[str, Any]:
        """Keep a judgment in data/queries/."""
        relevant = [
            label.judgment(workbench, passage.chunk, passage.quote) for passage in given.relevant
        ]
        label.keep(given.query, relevant)
        return {"kept": True, "judged": len(label.judged())}

    return routes


def side_by_side(systems: Iterable[str]) -> list[str]:
    """The systems in an order in which neighbours can be compared.

    base, base + BM25, base + BM25 + tokens, BM25, tuned + BM25 + tokens, tuned + BM25, tuned: each
    system of a model is beside the one that has a ranker more.
    """
    models = [system for system in systems if system != BM25]
    base = [system for system in models if system.startswith("base")]
    return [*base, BM25, *(system for system in reversed(models) if system not in base)]


def _ranks(rankings: dict[str, list[Place]]) -> dict[str, dict[str, int]]:
    """For each passage's id, its rank in each system that found it."""
    ranks: dict[str, dict[str, int]] = {}
    for system, places in rankings.items():
        for place in places[:RANKED]:
            ranks.setdefault(place.id, {})[system] = place.rank
    return ranks


def _passages(
    workbench: Workbench, best: dict[str, list[Place]], ranks: dict[str, dict[str, int]]
) -> dict[str, dict[str, Any]]:
    passages = {}
    for places in best.values():
        for place in places:
            row = workbench.passage(place.id)
            shown = {key: row[key] for key in ("document", "heading", "page_name", "text")}
            passages[place.id] = {**shown, "ranks": ranks[place.id]}
    return passages
