from __future__ import annotations

import numpy as np
import pytest

from argot.evaluation.metrics import Relevance, ndcg
from argot.search.fusion import (
    DEFAULT,
    TUNED,
    WEIGHTS,
    Fusion,
    Method,
    choose,
    choose_weight,
    curve,
    fuse,
)
from argot.search.hits import MISSING, Hits


def hits(rows: list[dict[int, float]], k: int) -> Hits:
    ranked = [sorted(row.items(), key=lambda hit: (-hit[1], hit[0])) for row in rows]
    padded = [row + [(MISSING, -np.inf)] * (k - len(row)) for row in ranked]
    positions, scores = np.moveaxis(np.array(padded, dtype=np.float64), 2, 0)
    return Hits(positions.astype(np.int32), scores.astype(np.float32))


def random_hits(queries: int, passages: int, k: int, seed: int, share: float = 1.0) -> Hits:
    rng = np.random.default_rng(seed)
    rows = [
        {
            int(p): float(rng.random())
            for p in rng.choice(passages, size=max(0, int(k * share)), replace=False)
        }
        for _ in range(queries)
    ]
    return hits(rows, k)


def brute_force(dense: dict[int, float], lexical: dict[int, float], weight: float) -> list[int]:
    low, high = min(dense.values()), max(dense.values())
    top = max(lexical.values())
    fused = {
        p: weight * ((dense[p] - low) / (high - low) if p in dense else 0.0)
        + (1 - weight) * (lexical[p] / top if p in lexical else 0.0)
        for p in {*dense, *lexical}
    }
    return sorted(fused, key=lambda p: (-np.float32(fused[p]), p))


@pytest.mark.parametrize("weight", [0.05, 0.5, 0.8])
def test_convex_fusion_agrees_with_its_definition(weight: float) -> None:
    dense, lexical = random_hits(50, 40, 12, seed=1), random_hits(50, 40, 12, seed=2, share=0.7)
    fused = fuse(dense, lexical, Fusion("convex", weight), 10, np.arange(40))
    for row in range(50):
        left, right = (
            {
                int(p): float(s)
                for p, s in zip(side.positions[row], side.scores[row], strict=True)
                if p != MISSING
            }
            for side in (dense, lexical)
        )
        assert fused.positions[row].tolist() == brute_force(left, right, weight)[:10]


def test_reciprocal_rank_fusion_adds_shares_of_one_over_sixty_plus_rank() -> None:
    dense, lexical = hits([{1: 0.9, 2: 0.5}], 2), hits([{2: 7.0, 3: 4.0}], 2)
    fused = fuse(dense, lexical, Fusion("rrf", 0.5), 3, np.arange(4))
    assert fused.positions.tolist() == [[2, 1, 3]]
    assert fused.scores[0] == pytest.approx([0.5 / 62 + 0.5 / 61, 0.5 / 61, 0.5 / 62])


def test_weight_one_is_dense_alone_and_weight_zero_bm25_alone() -> None:
    dense, lexical = random_hits(5, 30, 10, seed=3), random_hits(5, 30, 10, seed=4)
    alone = fuse(dense, lexical, Fusion("convex", 1.0), 10, np.arange(30))
    assert np.array_equal(alone.positions, dense.positions)
    assert np.array_equal(
        fuse(dense, lexical, Fusion("rrf", 0.0), 10, np.arange(30)).positions, lexical.positions
    )


def test_equal_scores_are_ordered_by_id() -> None:
    dense, lexical = hits([{0: 1.0, 1: 0.0}], 2), hits([{2: 5.0}], 2)
    ties = np.array([2, 1, 0])  # the passage at position 2 has the smallest id
    assert fuse(dense, lexical, Fusion("convex", 0.5), 3, ties).positions.tolist() == [[2, 0, 1]]


def test_a_query_without_lexical_hits_keeps_its_dense_ranking() -> None:
    dense = hits([{3: 0.9, 1: 0.8, 2: 0.7}], 4)
    fused = fuse(dense, hits([{}], 4), Fusion("convex", 0.3), 4, np.arange(5))
    assert fused.positions.tolist() == [[3, 1, 2, MISSING]]


def test_no_lexical_side_at_all_is_no_error() -> None:
    dense = hits([{3: 0.9, 1: 0.8}], 2)
    none = Hits(np.empty((1, 0), np.int32), np.empty((1, 0), np.float32))
    assert fuse(dense, none, Fusion("convex", 0.5), 2, np.arange(5)).positions.tolist() == [[3, 1]]


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


def test_convex_is_chosen_unless_rrf_is_surely_better() -> None:
    rng = np.random.default_rng(0)
    values = np.clip(rng.normal(0.5, 0.2, (len(WEIGHTS), 200)), 0, 1)
    clusters = np.arange(200)
    assert choose({"convex": values, "rrf": values}, clusters).method == "convex"
    assert choose({"convex": values, "rrf": values + 0.2}, clusters).method == "rrf"


def test_without_dev_queries_the_default_is_chosen() -> None:
    nothing = np.zeros((len(WEIGHTS), 0))
    assert choose({"convex": nothing, "rrf": nothing}, np.zeros(0, np.int64)) == Fusion(
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
        fused = fuse(dense, lexical, Fusion(method, weight), 10, ties)
        assert values == pytest.approx(ndcg(relevance.found(fused.positions), relevance.counts)), (
            weight
        )


def test_half_trust_goes_half_the_way() -> None:
    dense, lexical, relevance = sides(400, 0.9, 0.0, seed=3)
    values = curve(dense, lexical, relevance, "convex", np.arange(41))
    full, half = (choose_weight(values, np.arange(400), trust) for trust in (1.0, 0.5))
    assert half - DEFAULT == pytest.approx((full - DEFAULT) / 2, abs=0.03)
