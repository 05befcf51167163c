"""A person judges which passages answer a question.

The passages are the best of all systems (a pool), in an order that does not show who found them.
A judgment is kept as document and quote in data/queries/: it stays valid when documents are cut
into other passages.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from argot.errors import InputError
from argot.feedback.journal import FOLDER, append_line, distinct_queries, read_feedback, same_words
from argot.feedback.workbench import Place, Workbench

QUERIES = Path("data/queries")
LABELLED = QUERIES / "labelled.jsonl"
REVIEW = FOLDER / "review"
UNANSWERED = REVIEW / "unanswered.jsonl"
SHOWN = ("chunk", "document", "title", "heading", "page_name", "text")  # of a passage
POOL = 9  # passages to judge: the page has one digit key for each


def pooled(rankings: Mapping[str, Sequence[Place]], most: int = POOL) -> list[str]:
    """The ids of the systems' best passages, each once: all first ranks, then all second ranks ...

    A judge who sees only one system's passages can find only that system right; pooling the
    passages of all systems is how TREC collections are judged.
    """
    layers = zip_longest(*(ranking[:most] for ranking in rankings.values()))
    return list(dict.fromkeys(place.id for layer in layers for place in layer if place))[:most]


def blind(query: str, ids: Iterable[str]) -> list[str]:
    """The ids shuffled, so that the order does not show who found them; the same for a query."""
    order = sorted(ids)
    random.Random(same_words(query)).shuffle(order)
    return order


def candidates(workbench: Workbench, query: str) -> list[dict[str, Any]]:
    """The passages to judge, in an order that does not show who found them."""
    rows = map(workbench.passage, blind(query, pooled(workbench.search(query))))
    return [{key: row[key] for key in SHOWN} for row in rows]


def judgment(workbench: Workbench, chunk: str, selected: str = "") -> dict[str, str]:
    """Document and quote for a passage, or for the words that were selected in it.

    Raises InputError if the passage does not contain the selected words.
    """
    whole = workbench.quote(chunk)
    quote = " ".join(selected.split())
    if quote and same_words(quote) not in same_words(workbench.passage(chunk)["text"]):
        raise InputError(f"that passage does not contain '{quote[:60]}'")
    return {
        "document": workbench.passage(chunk)["document"],
        "quote": selected.strip() or whole.strip(),
    }


def keep(query: str, relevant: Sequence[Mapping[str, str]]) -> None:
    """Keep a judgment durably: a question with its passages, or one that no document answers."""
    query = " ".join(query.split())
    if not same_words(query):
        raise InputError("a question needs at least one word")
    if relevant:
        append_line(LABELLED, {"query": query, "relevant": list(relevant)})
    else:
        append_line(UNANSWERED, {"query": query})


def judged() -> set[str]:
    """The words of all questions that have a judgment."""
    files = [*QUERIES.rglob("*.jsonl"), UNANSWERED]
    return {same_words(line["query"]) for path in sorted(files) for line in read_lines(path)}


def waiting(given: Sequence[str]) -> list[str]:
    """The questions to judge: the given ones, then those that users asked, each once."""
    done = judged()
    records, _ = read_feedback()
    questions: dict[str, str] = {}
    for query in [*given, *distinct_queries(records)]:
        questions.setdefault(same_words(query), " ".join(query.split()))
    return [query for words, query in questions.items() if words and words not in done]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects with a query in a file. Broken lines are reported by the stage `questions`."""
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
