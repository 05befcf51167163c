"""Metrics of given rankings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytrec_eval

from argot.evaluation.metrics import Relevance, score
from benchmarks.track import Goal, Track

DEPTH = 100
MEASURES = {"ndcg_cut.10", "recip_rank", "map", "recall.1,5,10,100"}


def test_metrics_of_given_rankings(race: Track, scale: Callable[[int], int]) -> None:
    """10,000 queries, 100 ranked passages each, and one to five relevant ones."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    queries, passages = scale(10_000), 50_000
    random = np.random.default_rng(13)
    ranked = np.stack([random.permutation(2 * DEPTH)[:DEPTH] for _ in range(queries)]).astype(
        np.int32
    )
    ranked += random.integers(passages - 2 * DEPTH, size=(queries, 1), dtype=np.int32)
    relevant = [
        row[random.permutation(DEPTH)[: 1 + number % 5]].tolist()
        for number, row in enumerate(ranked)
    ]
    relevance, document = Relevance.of(relevant), np.arange(passages) // 5

    names = {str(number): {str(item): 1 for item in items} for number, items in enumerate(relevant)}
    run = {
        str(number): {str(item): float(DEPTH - rank) for rank, item in enumerate(row)}
        for number, row in enumerate(ranked.tolist())
    }
    trec = pytrec_eval.RelevanceEvaluator(names, MEASURES)
    evaluator = InformationRetrievalEvaluator(
        queries={name: name for name in names},
        corpus={str(item): "" for item in range(passages)},
        relevant_docs={name: set(items) for name, items in names.items()},
        accuracy_at_k=[1, 5, 10, 100],
        precision_recall_at_k=[1, 5, 10, 100],
        map_at_k=[DEPTH],
    )
    hits = [
        [{"corpus_id": item, "score": value} for item, value in row.items()] for row in run.values()
    ]

    ours, theirs, sts = (
        score(ranked, relevance, document),
        trec.evaluate(run),
        evaluator.compute_metrics(hits),
    )
    for name, other in (
        ("ndcg@10", "ndcg_cut_10"),
        ("map", "map"),
        ("recall@5", "recall_5"),
        ("recall@100", "recall_100"),
    ):
        assert np.allclose(ours[name], [theirs[query][other] for query in names], atol=1e-9)
    assert np.isclose(ours["mrr@10"].mean(), sts["mrr@k"][10], atol=1e-9)
    assert np.isclose(ours["ndcg@10"].mean(), sts["ndcg@k"][10], atol=1e-9)
    assert np.isclose(ours["recall@100"].mean(), sts["recall@k"][100], atol=1e-9)

    race(
        "metrics",
        f"{queries:,} queries, {DEPTH} hits each",
        lambda: score(ranked, relevance, document),
        {
            "InformationRetrievalEvaluator": Goal(lambda: evaluator.compute_metrics(hits), 10),
            "pytrec_eval": Goal(lambda: trec.evaluate(run), 1),
        },
    )
