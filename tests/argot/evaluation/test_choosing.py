from __future__ import annotations

import numpy as np
import pytest

from argot.evaluation.choosing import (
    DEFAULT,
    TUNED,
    WEIGHTS,
    beside_bm25,
    choose,
    choose_weight,
    curve,
)
from argot.evaluation.metrics import Relevance, ndcg
from argot.search.fusion import Method, fuse
from argot.search.hits import Hits
from tests.argot.search.rankings import hits, random_hits


def sides(
    queries: int, dense_right: float, lexical_right: float, seed: int
) -> tuple[Hits, Hits, Relevance]:
    """The right passage is 40; each side finds it, scored above 0.5, in its share of queries, else doesn't find it."""
    rng = np.random.default_rng(seed)

    def side(right: float, others: range) -> Hits:
        rows = [{p: float(rng.random()) for p in others} for _ in range(queries)]
        return hits(
            [
                {**row, 40: float(rng.uniform(0.5, 1.0))} if rng.random() < right else row
                for row in rows
            ],
            len(others) + 1,
        )

    return (
        side(dense_right, range(20)),
        side(lexical_right, range(20, 40)),
        Relevance.of([[40]] * queries),
    )


def chosen(queries: int, dense_right: float, lexical_right: float, seed: int = 7) -> float:
    dense, lexical, relevance = sides(queries, dense_right, lexical_right, seed)
    values = curve(dense, lexical, relevance, "convex", np.arange(41))
    return choose_weight(values, np.arange(queries))


def test_the_better_side_gets_the_weight() -> None:
    assert chosen(500, 0.95, 0.05) > 0.5 > chosen(500, 0.05, 0.95)


def test_a_side_that_only_harms_gets_nothing() -> None:
    assert chosen(2000, 0.0, 0.9) <= 0.35
    assert chosen(2000, 0.9, 0.0) >= 0.65


def test_few_queries_move_the_weight_less() -> None:
    few = np.mean([abs(chosen(4, 0.7, 0.3, seed) - DEFAULT) for seed in range(20)])
    many = np.mean([abs(chosen(400, 0.7, 0.3, seed) - DEFAULT) for seed in range(20)])
    assert few < many


def test_the_curve_has_both_ends() -> None:
    dense, lexical, relevance = sides(50, 1.0, 0.0, seed=1)
    values = curve(dense, lexical, relevance, "rrf", np.arange(41)).mean(axis=1)
    assert (WEIGHTS[0], values[0]) == (0.0, 0.0)
    assert (WEIGHTS[-1], values[-1]) == (1.0, values.max())


def test_convex_is_chosen_unless_rrf_is_significantly_better() -> None:
    rng = np.random.default_rng(0)
    values = np.clip(rng.normal(0.5, 0.2, (len(WEIGHTS), 200)), 0, 1)
    clusters = np.arange(200)
    assert choose({"convex": values, "rrf": values}, clusters).method == "convex"
    assert choose({"convex": values, "rrf": values + 0.2}, clusters).method == "rrf"


def test_without_dev_queries_the_default_is_chosen() -> None:
    nothing = np.zeros((len(WEIGHTS), 0))
    assert choose({"convex": nothing, "rrf": nothing}, np.zeros(0, np.int64)) == beside_bm25(
        "convex", DEFAULT
    )
    assert choose_weight(nothing, np.zeros(0, np.int64), default=TUNED) == TUNED


def test_few_queries_stay_near_the_default_that_is_given() -> None:
    dense, lexical, relevance = sides(8, 0.6, 0.6, seed=5)
    values = curve(dense, lexical, relevance, "convex", np.arange(41))
    low, high = (choose_weight(values, np.arange(8), default=default) for default in (0.3, 0.7))
    assert low < high


@pytest.mark.parametrize("method", ["convex", "rrf"])
def test_the_curve_is_what_fusing_would_score(method: Method) -> None:
    rng = np.random.default_rng(3)
    dense, lexical = random_hits(60, 30, 12, seed=5), random_hits(60, 30, 12, seed=6, share=0.6)
    dense = Hits(dense.positions, np.round(dense.scores, 1))  # many ties
    relevance = Relevance.of(
        [rng.choice(30, size=rng.integers(1, 6), replace=False).tolist() for _ in range(60)]
    )
    ties = rng.permutation(30)
    for weight, values in zip(WEIGHTS, curve(dense, lexical, relevance, method, ties), strict=True):
        fused = fuse({"dense": dense, "bm25": lexical}, beside_bm25(method, weight), 10, ties)
        assert values == pytest.approx(ndcg(relevance.found(fused.positions), relevance.counts)), (
            weight
        )


def test_half_trust_goes_half_the_way() -> None:
    dense, lexical, relevance = sides(400, 0.9, 0.0, seed=3)
    values = curve(dense, lexical, relevance, "convex", np.arange(41))
    full, half = (choose_weight(values, np.arange(400), trust) for trust in (1.0, 0.5))
    assert half - DEFAULT == pytest.approx((full - DEFAULT) / 2, abs=0.03)
