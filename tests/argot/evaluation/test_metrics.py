from __future__ import annotations

import math
import time

import numpy as np
import pytest
import pytrec_eval
from numpy.typing import NDArray

from argot.evaluation.metrics import Relevance, best_of_each, score
from argot.ranking.hits import MISSING
from argot.tables import judgments


def random_ranking(
    queries: int, k: int, passages: int, seed: int
) -> tuple[NDArray[np.int32], list[list[int]]]:
    rng = np.random.default_rng(seed)
    ranked = np.argsort(rng.random((queries, passages)), axis=1)[:, :k].astype(np.int32)
    for row in range(0, queries, 3):
        ranked[row, rng.integers(0, k) :] = MISSING
    relevant = [
        rng.choice(passages, size=rng.integers(1, 15), replace=False).tolist()
        for _ in range(queries)
    ]
    return ranked, relevant


def trec_eval(ranked: NDArray[np.int32], relevant: list[list[int]]) -> list[dict[str, float]]:
    qrels = {f"{row:06}": {str(item): 1 for item in items} for row, items in enumerate(relevant)}
    run = {
        f"{row:06}": {str(item): float(-rank) for rank, item in enumerate(items) if item != MISSING}
        for row, items in enumerate(ranked)
    }
    measures = {"ndcg_cut_10", "map", "recall_1,5,10,100", "recip_rank"}
    results = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    return [results.get(key, {}) for key in qrels]


def test_agrees_with_trec_eval() -> None:
    ranked, relevant = random_ranking(queries=300, k=100, passages=150, seed=1)
    scores = score(ranked, Relevance.of(relevant), np.arange(150))
    names = {
        "ndcg@10": "ndcg_cut_10",
        "map": "map",
        **{f"recall@{k}": f"recall_{k}" for k in (1, 5, 10, 100)},
    }
    expected = trec_eval(ranked, relevant)
    for ours, theirs in names.items():
        assert scores[ours] == pytest.approx(
            [result.get(theirs, 0.0) for result in expected], abs=1e-12
        ), ours
    rank = np.array([result.get("recip_rank", 0.0) for result in expected])
    assert scores["mrr@10"] == pytest.approx(np.where(rank >= 0.1 - 1e-12, rank, 0.0))


def test_documents_rank_by_their_best_passage() -> None:
    ranked, relevant = random_ranking(queries=200, k=60, passages=120, seed=2)
    document = np.random.default_rng(3).integers(0, 40, 120)
    scores = score(ranked, Relevance.of(relevant), document)
    for row, items in enumerate(relevant):
        order = list(dict.fromkeys(int(document[item]) for item in ranked[row] if item != MISSING))
        wanted = {int(document[item]) for item in items}
        gain = sum(
            1 / math.log2(rank + 2) for rank, found in enumerate(order[:10]) if found in wanted
        )
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(10, len(wanted))))
        assert scores["document_ndcg@10"][row] == pytest.approx(gain / ideal)
        share = len(wanted.intersection(order[:5])) / len(wanted)
        assert scores["document_recall@5"][row] == pytest.approx(share)


def test_scores_worked_out_by_hand() -> None:
    ranked = np.array([[4, 2, 7], [0, 1, 3], [5, MISSING, MISSING]], dtype=np.int32)
    scores = score(ranked, Relevance.of([[2, 7], [0], [6]]), np.arange(8))
    assert scores["mrr@10"].tolist() == [0.5, 1.0, 0.0]
    assert scores["map"] == pytest.approx([(1 / 2 + 2 / 3) / 2, 1.0, 0.0])
    assert scores["recall@1"].tolist() == [0.0, 1.0, 0.0]
    assert scores["recall@5"].tolist() == [1.0, 1.0, 0.0]
    assert scores["ndcg@10"][0] == pytest.approx(
        (1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3))
    )


def test_the_metrics_are_the_tables_columns() -> None:
    ranked, relevant = random_ranking(queries=3, k=5, passages=20, seed=4)
    scores = score(ranked, Relevance.of(relevant), np.arange(20))
    assert tuple(scores) == judgments.METRICS


def test_repeats_among_the_relevant_count_once() -> None:
    assert Relevance.of([[3, 3, 1]]).counts.tolist() == [2]


def test_a_query_without_relevant_passages_is_refused() -> None:
    with pytest.raises(ValueError, match="query 1 has nothing relevant"):
        Relevance.of([[1], [], [2]])


def test_no_queries_give_no_scores() -> None:
    scores = score(np.empty((0, 10), np.int32), Relevance.of([]), np.arange(5))
    assert all(values.shape == (0,) for values in scores.values())


def test_missing_hits_are_no_documents() -> None:
    ranked = np.array([[MISSING, 2, 1, 0]], dtype=np.int32)
    assert best_of_each(ranked, np.array([7, 7, 5])).tolist() == [[5, 7, MISSING, MISSING]]


def test_a_document_takes_the_place_of_its_best_passage() -> None:
    ranked = np.array([[0, 1, 2]], dtype=np.int32)
    assert best_of_each(ranked, np.array([7, 5, 7])).tolist() == [[7, 5, MISSING]]


def test_ten_thousand_queries_take_no_longer_than_trec_eval() -> None:
    ranked, relevant = random_ranking(queries=10_000, k=100, passages=400, seed=5)
    relevance, document = Relevance.of(relevant), np.arange(400) // 4
    started = time.process_time()
    score(ranked, relevance, document)
    ours = time.process_time() - started
    started = time.process_time()
    trec_eval(ranked, relevant)
    assert ours < time.process_time() - started
