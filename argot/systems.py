"""The five systems of every comparison: what each finds for a set of queries, how well, and the table that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.fusion import DEPTH, Fusion, fuse
from argot.lexical import Bm25
from argot.metrics import Scores, ndcg, score
from argot.queries import Corpus, Queries
from argot.ranking import MISSING, Hits, search_exact
from argot.tables import judgments
from argot.vectors import read_vectors
from argot.verdict import Evidence, Model

VECTORS = Path("data/embeddings")
MODELS: tuple[Model, ...] = ("base", "tuned")
SYSTEMS = ("bm25", "base", "base+bm25", "tuned", "tuned+bm25")
TOP = 10


@dataclass(frozen=True)
class Judged:
    """A set of queries with what each system found, each metric's value for each query, and what the verdict sees."""

    queries: Queries
    hits: dict[str, Hits]
    scores: dict[str, Scores]
    evidence: Evidence

    @property
    def ndcg(self) -> dict[str, NDArray[np.float64]]:
        """nDCG@10 of each query, by system."""
        return {system: scores["ndcg@10"] for system, scores in self.scores.items()}


def search(queries: Queries, corpus: Corpus, bm25: Bm25) -> dict[str, Hits]:
    """The candidates of BM25 and of each model, the best DEPTH a query."""
    found = {"bm25": bm25.search(queries.texts, DEPTH)}
    for model in MODELS:
        if not len(queries):  # where there is no question at all, there may be no store either
            found[model] = found["bm25"]
            continue
        asked = read_vectors(VECTORS / model / queries.set).of(queries.texts)
        stored = read_vectors(VECTORS / model / "passages").of(corpus.texts)
        found[model] = search_exact(asked, stored, DEPTH, corpus.ties)
    return found


def judge(queries: Queries, found: Mapping[str, Hits], fusions: Mapping[Model, Fusion], corpus: Corpus) -> Judged:
    """All systems on one set of queries; each model fuses with BM25 in its own way."""
    fused = {f"{model}+bm25": fuse(found[model], found["bm25"], fusions[model], DEPTH, corpus.ties) for model in MODELS}
    hits = {system: {**found, **fused}[system] for system in SYSTEMS}
    scores = {system: score(found.positions, queries.relevance, corpus.document) for system, found in hits.items()}
    alike = fuse(found["base"], found["bm25"], fusions["tuned"], DEPTH, corpus.ties)
    seen = {system: scores[system]["ndcg@10"] for system in ("bm25", "base+bm25", "tuned+bm25")}
    seen["base+bm25 alike"] = ndcg(queries.relevance.found(alike.positions), queries.relevance.counts)
    return Judged(queries, hits, scores, Evidence(seen, queries.cluster))


def as_table(judged: Judged, corpus: Corpus) -> pa.Table:
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
    for system in SYSTEMS:
        top = judged.hits[system].positions[:, :TOP]
        ends = np.concatenate([[0], np.cumsum((top != MISSING).sum(axis=1))])
        found = _lists(ends, ids.take(pa.array(top[top != MISSING])))
        columns = {**fixed, "system": [system] * count, "top": found, **judged.scores[system]}
        arrays = [pa.array(columns[field.name], field.type) for field in judgments.SCHEMA]
        tables.append(pa.table(arrays, schema=judgments.SCHEMA))
    return pa.concat_tables(tables)


def _lists(offsets: NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
