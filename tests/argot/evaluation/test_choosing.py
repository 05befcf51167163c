from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.evaluation.choosing import (
    DEFAULT,
    TUNED,
    TWO,
    beside_bm25,
    choose,
    choose_point,
    curve,
    grid,
)
from argot.evaluation.metrics import Relevance, ndcg
from argot.ranking.fusion import Fusion, Method, fuse
from argot.ranking.hits import Hits, top_k
from tests.argot.ranking.rankings import hits, random_hits


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


def curve_of(
    dense: Hits, lexical: Hits, relevance: Relevance, method: Method, ties: NDArray[np.int64]
) -> NDArray[np.float64]:
    return curve({"dense": dense, "bm25": lexical}, TWO, relevance, method, ties)


def choose_weight(
    values: NDArray[np.float64],
    clusters: NDArray[np.int64],
    trust: float = 1.0,
    default: float = DEFAULT,
) -> float:
    start = beside_bm25("convex", default).weights
    return choose_point(values, TWO, clusters, start, trust)["dense"]


def chosen(queries: int, dense_right: float, lexical_right: float, seed: int = 7) -> float:
    dense, lexical, relevance = sides(queries, dense_right, lexical_right, seed)
    values = curve_of(dense, lexical, relevance, "convex", np.arange(41))
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
    values = curve_of(dense, lexical, relevance, "rrf", np.arange(41)).mean(axis=1)
    assert (TWO[0]["dense"], values[0]) == (0.0, 0.0)
    assert (TWO[-1]["dense"], values[-1]) == (1.0, values.max())


def test_convex_is_chosen_unless_rrf_is_significantly_better() -> None:
    rng = np.random.default_rng(0)
    values = np.clip(rng.normal(0.5, 0.2, (len(TWO), 200)), 0, 1)
    clusters = np.arange(200)
    start = beside_bm25("convex", DEFAULT).weights
    given = (TWO, clusters, start)
    assert choose({"convex": values, "rrf": values}, *given).method == "convex"
    assert choose({"convex": values, "rrf": values + 0.2}, *given).method == "rrf"


def test_without_dev_queries_the_default_is_chosen() -> None:
    nothing = np.zeros((len(TWO), 0))
    start = beside_bm25("convex", DEFAULT)
    given = (TWO, np.zeros(0, np.int64), start.weights)
    assert choose({"convex": nothing, "rrf": nothing}, *given) == start
    assert choose_weight(nothing, np.zeros(0, np.int64), default=TUNED) == TUNED


def test_few_queries_stay_near_the_default_that_is_given() -> None:
    dense, lexical, relevance = sides(8, 0.6, 0.6, seed=5)
    values = curve_of(dense, lexical, relevance, "convex", np.arange(41))
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
    for weight, values in zip(TWO, curve_of(dense, lexical, relevance, method, ties), strict=True):
        fused = fuse(
            {"dense": dense, "bm25": lexical}, Fusion(method=method, weights=weight), 10, ties
        )
        assert values == pytest.approx(ndcg(relevance.found(fused.positions), relevance.counts)), (
            weight
        )


def test_half_trust_goes_half_the_way() -> None:
    dense, lexical, relevance = sides(400, 0.9, 0.0, seed=3)
    values = curve_of(dense, lexical, relevance, "convex", np.arange(41))
    full, half = (choose_weight(values, np.arange(400), trust) for trust in (1.0, 0.5))
    assert half - DEFAULT == pytest.approx((full - DEFAULT) / 2, abs=0.03)


def test_all_weights_of_three_rankers_are_together_one() -> None:
    points = grid(["bm25", "dense", "tokens"])
    assert len(points) == 231 == len({tuple(point.values()) for point in points})
    assert all(sum(point.values()) == pytest.approx(1) for point in points)


@pytest.mark.parametrize("harmful", ["bm25", "dense", "tokens"])
def test_of_three_rankers_the_one_that_harms_loses_its_weight(harmful: str) -> None:
    """Two rankers know the right passage; the third puts another one first."""
    rng = np.random.default_rng(4)
    names, queries = ["bm25", "dense", "tokens"], 300
    target = rng.integers(0, 30, queries)
    found = {}
    for name in names:
        scores = rng.normal(0, 1, (queries, 30))
        scores[np.arange(queries), target] += -3.0 if name == harmful else 2.0
        found[name] = top_k((scores - scores.min()).astype(np.float32), 30, np.arange(30))
    relevance = Relevance.of(target[:, None].tolist())
    points = grid(names)
    values = curve(found, points, relevance, "convex", np.arange(30))
    start = {"bm25": 0.25, "dense": 0.2, "tokens": 0.55}
    weights = choose_point(values, points, np.arange(queries), start)
    assert weights[harmful] <= 0.1 < min(weights[name] for name in names if name != harmful)
