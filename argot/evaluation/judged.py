"""Judged queries: real questions and synthetic pairs, with the passages that answer them, by position."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from argot.core.parquet import read_table
from argot.errors import InputError
from argot.evaluation.metrics import Relevance
from argot.search.hits import tie_order
from argot.tables import chunks, pairs, questions
from argot.tables.passages import passage


@dataclass(frozen=True)
class Corpus:
    """The passages as every system sees them; `document` is each one's document, by number."""

    ids: list[str]
    texts: list[str]
    document: NDArray[np.int64]
    group: list[str]
    language: str
    position: dict[str, int]
    ties: NDArray[np.int64]
    trained: frozenset[str]  # the groups that training pairs were made from
    training_pairs: int

    def places(self, ids: Sequence[str]) -> list[int]:
        """The positions of chunks; InputError if one is not of this corpus."""
        try:
            return [self.position[id] for id in ids]
        except KeyError as error:
            raise InputError(
                f"{chunks.PATH} holds no chunk {error}, which a query names; run `dvc repro`"
            ) from None


@dataclass(frozen=True)
class Queries:
    """One set of judged queries; `cluster` is each one's document group, by number."""

    set: str
    split: str
    ids: list[str]
    texts: list[str]
    kinds: list[str]
    groups: list[str]
    cluster: NDArray[np.int64]
    seen: NDArray[np.bool_]  # were training pairs made from a document that answers it?
    relevance: Relevance

    def __len__(self) -> int:
        return len(self.ids)


def read_corpus() -> Corpus:
    """All passages, and which of them were trained on."""
    columns = ["chunk", "document", "group", "heading", "text", "language"]
    table = read_table(chunks.PATH, chunks.SCHEMA, columns).to_pydict()
    position = {id: at for at, id in enumerate(table["chunk"])}
    spoken = Counter(table["language"])
    used = read_table(pairs.PATHS["train"], pairs.SCHEMA, ["chunk"])["chunk"].to_pylist()
    return Corpus(
        ids=table["chunk"],
        texts=list(map(passage, table["heading"], table["text"])),
        document=_numbered(table["document"]),
        group=table["group"],
        language=min(spoken, key=lambda language: (-spoken[language], language)),
        position=position,
        ties=tie_order(table["chunk"]),
        trained=frozenset(table["group"][position[chunk]] for chunk in used if chunk in position),
        training_pairs=len(used),
    )


def read_questions(split: str, corpus: Corpus) -> Queries:
    """Real questions of a split; all passages that their table names are relevant."""
    table = read_table(questions.PATHS[split], questions.SCHEMA).to_pydict()
    relevant = [corpus.places(ids) for ids in table["chunks"]]
    seen = [any(corpus.group[at] in corpus.trained for at in places) for places in relevant]
    return Queries(
        set="questions",
        split=split,
        ids=table["question"],
        texts=table["query"],
        kinds=table["kind"],
        groups=table["cluster"],
        cluster=_numbered(table["cluster"]),
        seen=np.array(seen, dtype=bool),
        relevance=Relevance.of(relevant),
    )


def read_pairs(split: str, corpus: Corpus) -> Queries:
    """Synthetic pairs of a split; copies of the passage, and passages with a pair of the same query, are right too."""
    table = read_table(
        pairs.PATHS[split], pairs.SCHEMA, ["pair", "query", "chunk", "source"]
    ).to_pydict()
    places = corpus.places(table["chunk"])
    copies: dict[str, list[int]] = defaultdict(list)
    for at, text in enumerate(corpus.texts):
        copies[text].append(at)
    asked: dict[str, set[int]] = defaultdict(set)
    for query, at in zip(table["query"], places, strict=True):
        asked[query].update(copies[corpus.texts[at]])
    groups = [corpus.group[at] for at in places]
    return Queries(
        set="pairs",
        split=split,
        ids=table["pair"],
        texts=table["query"],
        kinds=table["source"],
        groups=groups,
        cluster=_numbered(groups),
        seen=np.array([group in corpus.trained for group in groups], dtype=bool),
        relevance=Relevance.of([sorted(asked[query]) for query in table["query"]]),
    )


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(names, dtype=object), return_inverse=True)[1].astype(np.int64)
