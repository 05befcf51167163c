"""A person judges: which passages answer a question? From all systems' best, in an order that betrays none of them.

Judgments are kept as document and quote in data/queries/, so that they outlive any cutting into passages.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from argot.errors import InputError
from argot.feedback.journal import FOLDER, append_line, asked, read_feedback, same_words
from argot.feedback.workbench import Place, Workbench

QUERIES = Path("data/queries")
LABELLED = QUERIES / "labelled.jsonl"
REVIEW = FOLDER / "review"
UNANSWERED = REVIEW / "unanswered.jsonl"
POOL = 9  # one a digit key


def pooled(rankings: Mapping[str, Sequence[Place]], most: int = POOL) -> list[str]:
    """The ids of the systems' best passages: every system's first, then every second ..., each once.

    A judge who sees only one system's passages can find only that one right (pooling, as at TREC).
    """
    layers = zip_longest(*(ranking[:most] for ranking in rankings.values()))
    return list(dict.fromkeys(place.id for layer in layers for place in layer if place))[:most]


def blind(query: str, ids: Iterable[str]) -> list[str]:
    """The ids in an order that tells nothing about who found them: by chance, the same for the same question."""
    order = sorted(ids)
    random.Random(same_words(query)).shuffle(order)
    return order


def candidates(workbench: Workbench, query: str) -> list[dict[str, Any]]:
    """The passages to judge, in blind order."""
    rows = map(workbench.passage, blind(query, pooled(workbench.search(query))))
    return [
        {key: row[key] for key in ("chunk", "document", "title", "heading", "text")} for row in rows
    ]


def judgment(workbench: Workbench, chunk: str, selected: str = "") -> dict[str, str]:
    """Document and quote for a passage, or for what was selected in it.

    Raises InputError if the selection doesn't stand in the passage.
    """
    whole = workbench.quote(chunk)
    quote = " ".join(selected.split())
    if quote and same_words(quote) not in same_words(workbench.passage(chunk)["text"]):
        raise InputError(f"'{quote[:60]}' doesn't stand in that passage")
    return {
        "document": workbench.passage(chunk)["document"],
        "quote": selected.strip() or whole.strip(),
    }


def keep(query: str, relevant: Sequence[Mapping[str, str]]) -> None:
    """Keep a judgment durably: as a question, or, where nothing is relevant, as one the documents don't answer."""
    query = " ".join(query.split())
    if not same_words(query):
        raise InputError("a question holds at least one word")
    if relevant:
        append_line(LABELLED, {"query": query, "relevant": list(relevant)})
    else:
        append_line(UNANSWERED, {"query": query})


def judged() -> set[str]:
    """The words of all questions that need no judgment any more."""
    files = [*QUERIES.rglob("*.jsonl"), UNANSWERED]
    return {same_words(line["query"]) for path in sorted(files) for line in read_lines(path)}


def waiting(given: Sequence[str]) -> list[str]:
    """What is to be judged: the given questions, then what users asked, each once."""
    done = judged()
    records, _ = read_feedback()
    questions: dict[str, str] = {}
    for query in [*given, *asked(records)]:
        questions.setdefault(same_words(query), " ".join(query.split()))
    return [query for words, query in questions.items() if words and words not in done]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file that hold a query; lines that hold none are for the stage `questions` to tell of."""
    if not path.exists():
        return []
    found = []
    for raw in path.read_bytes().splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("query"), str):
            found.append(line)
    return found
