"""Compare BM25, base and tuned, alone and fused, and reach a verdict.

Every row has the same queries: real questions and synthetic pairs, apart. What fuses is chosen on dev and measured on
test. Writes data/judgments.parquet, a row a test query and system, and data/verdict.json, which decides what ships.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from argot.files import write_json
from argot.fusion import DEPTH, Fusion, choose, curve, fuse
from argot.lexical import Bm25, LexicalSettings
from argot.metrics import Relevance, Scores, score
from argot.params import Settings, load
from argot.passages import passage
from argot.ranking import MISSING, Hits, search_exact, tie_order
from argot.stage import run, write_figures
from argot.statistics import paired
from argot.tables import chunks, judgments, pairs, questions
from argot.tables.parquet import read_table, write_table
from argot.vectors import read_vectors
from argot.verdict import Decision, Evidence, Model, ReleaseSettings, decide

VECTORS = Path("data/embeddings")
VERDICT = Path("data/verdict.json")
MODELS: tuple[Model, ...] = ("base", "tuned")
SYSTEMS = ("bm25", "base", "base+bm25", "tuned", "tuned+bm25")
TOP = 10


class EvaluateSettings(Settings):
    """How the bootstrap draws, and which dev queries choose the fusion."""

    samples: int = Field(ge=100)
    seed: int
    min_dev_questions: int = Field(ge=1)


@dataclass(frozen=True)
class Corpus:
    """The passages: `position` is each chunk's row, `document` and `group` are numbered."""

    ids: list[str]
    texts: list[str]
    document: NDArray[np.int64]
    group: list[str]
    language: str
    position: dict[str, int]
    ties: NDArray[np.int64]


@dataclass(frozen=True)
class Queries:
    """One set of judged queries."""

    set: str
    split: str
    ids: list[str]
    texts: list[str]
    kinds: list[str]
    clusters: list[str]
    seen: NDArray[np.bool_]
    relevance: Relevance

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def cluster(self) -> NDArray[np.int64]:
        """Clusters by number."""
        return np.unique(np.asarray(self.clusters, dtype=object), return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class Judged:
    """A set of queries with what each system found, and how well."""

    queries: Queries
    hits: dict[str, Hits]
    scores: dict[str, Scores]


def main() -> str:
    """Search, fuse, measure, decide."""
    settings, rules = load("evaluate", EvaluateSettings), load("release", ReleaseSettings)
    corpus = read_corpus()
    bm25 = Bm25.build(corpus.ids, corpus.texts, load("lexical", LexicalSettings), corpus.language)
    trained = trained_groups(corpus)
    dev = dev_queries(corpus, trained, settings.min_dev_questions)
    tests = [read_questions("test", corpus, trained), read_pairs("test", corpus, trained)]
    chosen = choose_fusions(search(dev, corpus, bm25), dev, corpus.ties)
    judged = [judge(queries, search(queries, corpus, bm25), chosen, corpus) for queries in tests]
    real, synthetic = (evidence(each) for each in judged)
    decision = decide(real, synthetic, chosen, rules, settings.samples, settings.seed)
    write_table(judgments.PATH, pa.concat_tables([rows(each, corpus) for each in judged]), judgments.SCHEMA)
    write_json(VERDICT, decision.as_json())
    write_figures("evaluate", figures(judged, decision, settings))
    return f"{decision.verdict}: {decision.reason}"


def read_corpus() -> Corpus:
    """The passages, as all systems see them."""
    columns = ["chunk", "document", "group", "heading", "text", "language"]
    table = read_table(chunks.PATH, chunks.SCHEMA, columns).to_pydict()
    ids = table["chunk"]
    _, document = np.unique(np.asarray(table["document"], dtype=object), return_inverse=True)
    spoken = Counter(table["language"])
    return Corpus(
        ids=ids,
        texts=[passage(heading, text) for heading, text in zip(table["heading"], table["text"], strict=True)],
        document=document.astype(np.int64),
        group=table["group"],
        language=min(spoken, key=lambda language: (-spoken[language], language)),
        position={id: at for at, id in enumerate(ids)},
        ties=tie_order(ids),
    )


def trained_groups(corpus: Corpus) -> set[str]:
    """The document groups that training pairs were made from."""
    used = read_table(pairs.PATHS["train"], pairs.SCHEMA, ["chunk"])["chunk"].to_pylist()
    return {corpus.group[corpus.position[chunk]] for chunk in used}


def read_questions(split: str, corpus: Corpus, trained: set[str]) -> Queries:
    """Real questions of a split; all passages that their table names are relevant."""
    table = read_table(questions.PATHS[split], questions.SCHEMA).to_pylist()
    relevant = [[corpus.position[chunk] for chunk in row["chunks"]] for row in table]
    return Queries(
        set="questions",
        split=split,
        ids=[row["question"] for row in table],
        texts=[row["query"] for row in table],
        kinds=[row["kind"] for row in table],
        clusters=[row["cluster"] for row in table],
        seen=np.array([any(corpus.group[at] in trained for at in places) for places in relevant], dtype=bool),
        relevance=Relevance.of(relevant),
    )


def read_pairs(split: str, corpus: Corpus, trained: set[str]) -> Queries:
    """Synthetic pairs of a split; copies of the passage, and passages with a pair of the same query, are right too."""
    table = read_table(pairs.PATHS[split], pairs.SCHEMA, ["pair", "query", "chunk", "source"]).to_pylist()
    places = [corpus.position[row["chunk"]] for row in table]
    copies: dict[str, list[int]] = defaultdict(list)
    asked: dict[str, list[int]] = defaultdict(list)
    for at, text in enumerate(corpus.texts):
        copies[text].append(at)
    for row, at in zip(table, places, strict=True):
        asked[row["query"]] += copies[corpus.texts[at]]
    groups = [corpus.group[at] for at in places]
    return Queries(
        set="pairs",
        split=split,
        ids=[row["pair"] for row in table],
        texts=[row["query"] for row in table],
        kinds=[row["source"] for row in table],
        clusters=groups,
        seen=np.array([group in trained for group in groups], dtype=bool),
        relevance=Relevance.of([asked[row["query"]] for row in table]),
    )


def dev_queries(corpus: Corpus, trained: set[str], enough: int) -> Queries:
    """What chooses the fusion: real questions where there are enough, else synthetic pairs."""
    real = read_questions("dev", corpus, trained)
    return real if len(real) >= enough else read_pairs("dev", corpus, trained)


def search(queries: Queries, corpus: Corpus, bm25: Bm25) -> dict[str, Hits]:
    """The candidates of BM25 and of each model, the best DEPTH a query."""
    found = {"bm25": bm25.search(queries.texts, DEPTH)}
    for model in MODELS if len(queries) else ():
        asked = read_vectors(VECTORS / model / queries.set).of(queries.texts)
        stored = read_vectors(VECTORS / model / "passages").of(corpus.texts)
        found[model] = search_exact(asked, stored, DEPTH, corpus.ties)
    return found


def choose_fusions(found: Mapping[str, Hits], dev: Queries, ties: NDArray[np.int64]) -> dict[Model, Fusion]:
    """Each model's own fusion with BM25, chosen on dev; equal shares where there is no dev query."""
    if not len(dev):
        return {model: Fusion("convex", 0.5) for model in MODELS}
    curves = {model: curve(found[model], found["bm25"], dev.relevance, "convex", ties) for model in MODELS}
    return {model: Fusion("convex", choose(values, dev.cluster)) for model, values in curves.items()}


def judge(queries: Queries, found: dict[str, Hits], fusions: Mapping[Model, Fusion], corpus: Corpus) -> Judged:
    """All five systems on one set of queries."""
    hits = dict(found)
    for model in MODELS if len(queries) else ():
        hits[f"{model}+bm25"] = fuse(found[model], found["bm25"], fusions[model], DEPTH, corpus.ties)
    hits = {system: hits.get(system, found["bm25"]) for system in SYSTEMS}
    scores = {system: score(found.positions, queries.relevance, corpus.document) for system, found in hits.items()}
    return Judged(queries, hits, scores)


def evidence(judged: Judged) -> Evidence:
    """What the verdict looks at."""
    return Evidence({system: scores["ndcg@10"] for system, scores in judged.scores.items()}, judged.queries.cluster)


def rows(judged: Judged, corpus: Corpus) -> pa.Table:
    """The table of judgments: every query under every system."""
    queries = judged.queries
    ids = pa.array(corpus.ids, pa.string())
    fixed = {
        "set": [queries.set] * len(queries),
        "split": [queries.split] * len(queries),
        "id": queries.ids,
        "query": queries.texts,
        "kind": queries.kinds,
        "cluster": queries.clusters,
        "seen": queries.seen,
    }
    relevant = _lists(queries.relevance.offsets, ids.take(pa.array(queries.relevance.items)))
    tables = []
    for system in SYSTEMS:
        top = judged.hits[system].positions[:, :TOP]
        ends = np.concatenate([[0], np.cumsum((top != MISSING).sum(axis=1))])
        own = {"relevant": relevant, "top": _lists(ends, ids.take(pa.array(top[top != MISSING])))}
        columns = {**fixed, "system": [system] * len(queries), **own, **judged.scores[system]}
        tables.append(pa.table([pa.array(columns[f.name], f.type) for f in judgments.SCHEMA], schema=judgments.SCHEMA))
    return pa.concat_tables(tables)


def figures(judged: Sequence[Judged], decision: Decision, settings: EvaluateSettings) -> dict[str, Any]:
    """All that is reported: means by set and part of it, paired differences, the verdict; text stands apart."""
    found: dict[str, Any] = {"verdict": decision.numbers, "differences": {}}
    for each in judged:
        parts = parts_of(each.queries)
        found[each.queries.set] = {name: means(each, part) for name, part in parts.items()}
        found["differences"][each.queries.set] = {
            name: differences(each, part, settings) for name, part in parts.items()
        }
    found["text"] = {"verdict": decision.verdict, "reason": decision.reason, "advice": []}
    return found


def parts_of(queries: Queries) -> dict[str, NDArray[np.bool_]]:
    """The whole test and, where there are both, queries on documents that were trained on and that were not."""
    whole = np.ones(len(queries), dtype=bool)
    parts = {"test": whole, "seen": queries.seen, "held_out": ~queries.seen}
    return {name: part for name, part in parts.items() if part.any() and (name == "test" or not part.all())}


def means(judged: Judged, part: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Each system's mean of each metric."""
    return {
        system: {metric: round(float(values[part].mean()), 6) for metric, values in scores.items()}
        for system, scores in judged.scores.items()
    }


def differences(judged: Judged, part: NDArray[np.bool_], settings: EvaluateSettings) -> dict[str, Any]:
    """Every two systems' paired difference of every metric, with an interval that holds for all ten at once."""
    couples = list(combinations(reversed(SYSTEMS), 2))
    stacked = np.stack(
        [
            [judged.scores[a][metric][part] - judged.scores[b][metric][part] for a, b in couples]
            for metric in judgments.METRICS
        ]
    )
    found = paired(np.moveaxis(stacked, -1, 0), judged.queries.cluster[part], settings.samples, settings.seed)
    return {
        f"{a} - {b}": {
            metric: {
                "difference": round(float(found.mean[at, column]), 6),
                "low": round(float(found.joint_low[at, column]), 6),
                "high": round(float(found.joint_high[at, column]), 6),
            }
            for at, metric in enumerate(judgments.METRICS)
        }
        for column, (a, b) in enumerate(couples)
    }


def _lists(offsets: NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


if __name__ == "__main__":
    run("evaluate", main)
