"""The systems of every comparison: what each finds for a set of queries, how well, and the table that says so.

BM25, then each way of searching by vectors alone and fused with BM25: base and tuned; both cut to fewer dimensions,
where the release cuts them; and managed models, where some are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.encoding.store import Vectors, cut, read_vectors
from argot.evaluation.judged import JudgedCorpus, Queries
from argot.evaluation.metrics import Scores, ndcg, score_both
from argot.evaluation.names import BM25, Sides, row, sides, with_bm25
from argot.evaluation.verdict import Evidence, Model
from argot.search.bm25 import Bm25
from argot.search.fusion import DEFAULT, DEPTH, TUNED, Fusion, fuse
from argot.search.hits import MISSING, Hits, search_exact
from argot.tables import judgments

VECTORS = Path("data/embeddings")
MODELS: tuple[Model, ...] = ("base", "tuned")
TOP = 10


@dataclass(frozen=True)
class Dense:
    """A way of searching by vectors: its row, its vectors of passages, pairs or questions, and where they are cut.

    `share` is the weight beside BM25 that dev queries start from.
    """

    name: str
    vectors: Callable[[str], Vectors]
    dim: int = 0
    share: float = DEFAULT

    def of(self, kind: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, (texts, dimensions), cut to `dim` where that isn't 0."""
        return cut(self.vectors(kind).of(texts), self.dim)


@dataclass(frozen=True)
class Judged:
    """A set of queries with what each system found, each metric's value for each query, and what the verdict sees."""

    queries: Queries
    hits: dict[str, Hits]
    scores: dict[str, Scores]
    evidence: Evidence
    sides: Sides

    @property
    def ndcg(self) -> dict[str, NDArray[np.float64]]:
        """nDCG@10 of each query, by system."""
        return {system: scores["ndcg@10"] for system, scores in self.scores.items()}


def stored(model: Model, dim: int = 0) -> Dense:
    """A model by the vectors that `embed` stored, whole or cut."""
    share = TUNED if model == "tuned" else DEFAULT
    return Dense(row(model, dim), lambda kind: read_vectors(VECTORS / model / kind), dim, share)


def search(
    queries: Queries, corpus: JudgedCorpus, bm25: Bm25, systems: Sequence[Dense]
) -> dict[str, Hits]:
    """The candidates of BM25 and of each way by vectors, the best DEPTH a query."""
    found = {BM25: bm25.search(queries.texts, DEPTH)}
    for dense in systems:
        if not len(queries):  # where there is no question at all, there may be no store either
            found[dense.name] = found[BM25]
            continue
        asked, passages = (
            dense.of(queries.set, queries.texts),
            dense.of("passages", corpus.passages),
        )
        found[dense.name] = search_exact(asked, passages, DEPTH, corpus.ties)
    return found


def judge(
    queries: Queries,
    found: Mapping[str, Hits],
    fusions: Mapping[str, Fusion],
    corpus: JudgedCorpus,
    dim: int,
) -> Judged:
    """All systems on one set of queries; each way by vectors fuses with BM25 in its own way.

    The verdict sees base and tuned as they would ship: with vectors cut to `dim`, or whole where that is 0.
    """
    hits = {BM25: found[BM25]}
    for dense, fusion in fusions.items():
        hits[dense] = found[dense]
        hits[with_bm25(dense)] = fuse(found[dense], found[BM25], fusion, DEPTH, corpus.ties)
    scores = {
        system: score_both(found.positions, queries.relevance, corpus.document)
        for system, found in hits.items()
    }
    base, tuned = (row(model, dim) for model in MODELS)
    alike = fuse(found[base], found[BM25], fusions[tuned], DEPTH, corpus.ties)
    both = sides(dim)
    seen = {
        name: scores[system]["ndcg@10"]
        for name, system in {BM25: BM25, "base+bm25": both.stays, "tuned+bm25": both.ships}.items()
    }
    seen["base+bm25 alike"] = ndcg(
        queries.relevance.found(alike.positions), queries.relevance.counts
    )
    return Judged(queries, hits, scores, Evidence(seen, queries.cluster), both)


def as_table(judged: Judged, corpus: JudgedCorpus) -> pa.Table:
    """The table of judgments: every query under every system."""
    queries, count = judged.queries, len(judged.queries)
    ids = pa.array(corpus.ids, pa.string())
    fixed = {
        "set": [queries.set] * count,
        "split": [queries.split] * count,
        "id": queries.ids,
        "query": queries.texts,
        "kind": queries.kinds,
        "cluster": queries.groups,
        "seen": queries.seen,
        "relevant": _lists(queries.relevance.offsets, ids.take(pa.array(queries.relevance.items))),
    }
    tables = []
    for system, hits in judged.hits.items():
        top = hits.positions[:, :TOP]
        ends = np.concatenate([[0], np.cumsum((top != MISSING).sum(axis=1))])
        found = _lists(ends, ids.take(pa.array(top[top != MISSING])))
        columns = {**fixed, "system": [system] * count, "top": found, **judged.scores[system]}
        arrays = [pa.array(columns[field.name], field.type) for field in judgments.SCHEMA]
        tables.append(pa.table(arrays, schema=judgments.SCHEMA))
    return pa.concat_tables(tables)


def _lists(offsets: NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
