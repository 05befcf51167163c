"""Judged queries: real questions and synthetic pairs, and the rows of the passages that answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from argot.core.parquet import read_table
from argot.documents.near_duplicates import group
from argot.evaluation.metrics import Relevance
from argot.ranking.hits import tie_order
from argot.tables import pairs, questions
from argot.tables.chunks import Corpus, numbered

# The Jaccard similarity of the shingles of two passages that are the same passage.
SAME_PASSAGE = 0.9


@dataclass(frozen=True)
class JudgedCorpus(Corpus):
    """The passages as evaluation sees them: by number, and with what was trained on."""

    @cached_property
    def ties(self) -> NDArray[np.int64]:
        """The order among passages of equal score, (passages,)."""
        return tie_order(self.ids)

    @cached_property
    def document(self) -> NDArray[np.int64]:
        """Each passage's document by its number, (passages,)."""
        return self.numbered("document")

    @cached_property
    def trained(self) -> frozenset[str]:
        """The document groups that training pairs were made from."""
        known = (chunk for chunk in self._training_chunks if chunk in self.places)
        return frozenset(self.groups[self.places[chunk]] for chunk in known)

    @cached_property
    def learnt(self) -> NDArray[np.bool_]:
        """Is each passage, or one with nearly its words, in a document trained on? (passages,)."""
        trained = np.array([group in self.trained for group in self.groups], dtype=bool)
        texts = self._column("text")  # not `texts`, which would keep them
        rows = [{"document": str(at), "text": text} for at, text in enumerate(texts)]
        group(rows, SAME_PASSAGE)
        near = np.array([int(row["group"]) for row in rows], dtype=np.int64)
        return np.isin(near, near[trained])

    @property
    def training_pairs(self) -> int:
        """How many training pairs there are."""
        return len(self._training_chunks)

    @cached_property
    def _training_chunks(self) -> list[str]:
        table = read_table(pairs.PATHS["train"], pairs.SCHEMA, ["chunk"])
        chunks: list[str] = table["chunk"].to_pylist()
        return chunks


@dataclass(frozen=True)
class Queries:
    """One set of judged queries."""

    set: str  # questions or pairs
    split: str  # dev or test
    ids: list[str]
    texts: list[str]
    kinds: list[str]
    groups: list[str]  # the group of the first document that answers each query
    cluster: NDArray[np.int64]  # the same by number, (queries,)
    documents: NDArray[np.int64]  # the groups of all that answer, by number, (queries, most)
    seen: NDArray[np.bool_]  # does a passage that answers it stand in a document trained on?
    relevance: Relevance

    def __len__(self) -> int:
        return len(self.ids)


def read_questions(split: str, corpus: JudgedCorpus) -> Queries:
    """Real questions of a split; all passages that their table names are relevant."""
    table = read_table(questions.PATHS[split], questions.SCHEMA).to_pydict()
    relevant = [corpus.places_of(ids) for ids in table["chunks"]]
    # A question is seen if any passage that answers it was learnt.
    seen = [corpus.learnt[places].any() for places in relevant]
    return Queries(
        set="questions",
        split=split,
        ids=table["question"],
        texts=table["query"],
        kinds=table["kind"],
        groups=table["cluster"],
        cluster=numbered(table["cluster"]),
        documents=answering(relevant, corpus),
        seen=np.array(seen, dtype=bool),
        relevance=Relevance.of(relevant),
    )


def answering(relevant: Sequence[Sequence[int]], corpus: JudgedCorpus) -> NDArray[np.int64]:
    """The document groups of the passages that answer each query, by number, (queries, most).

    A query with fewer groups than another repeats its first.
    """
    group = corpus.numbered("group")
    answers = [np.unique(group[list(places)]) for places in relevant]
    most = max(map(len, answers), default=1)
    padded = [np.pad(found, (0, most - len(found)), mode="wrap") for found in answers]
    return np.array(padded, dtype=np.int64).reshape(len(relevant), most)


def read_pairs(split: str, corpus: JudgedCorpus) -> Queries:
    """Synthetic pairs of a split.

    Copies of the passage are relevant too, and so are the passages of pairs with the same query.
    """
    table = read_table(
        pairs.PATHS[split], pairs.SCHEMA, ["pair", "query", "chunk", "source"]
    ).to_pydict()
    # 1. The passages that have the same text as the passage of a pair.
    places = corpus.places_of(table["chunk"])
    copies: dict[str, list[int]] = defaultdict(list)
    for at, text in enumerate(corpus.passages):
        copies[text].append(at)
    # 2. For each query, the passages of all pairs that ask it, with their copies.
    asked: dict[str, set[int]] = defaultdict(set)
    for query, at in zip(table["query"], places, strict=True):
        asked[query].update(copies[corpus.passages[at]])
    groups = [corpus.groups[at] for at in places]
    seen = corpus.learnt[places]
    relevant = [sorted(asked[query]) for query in table["query"]]
    return Queries(
        set="pairs",
        split=split,
        ids=table["pair"],
        texts=table["query"],
        kinds=table["source"],
        groups=groups,
        cluster=numbered(groups),
        documents=numbered(groups)[:, None],
        seen=np.array(seen, dtype=bool),
        relevance=Relevance.of(relevant),
    )
