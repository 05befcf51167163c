from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from argot.evaluation.choosing import beside_bm25
from argot.ranking.fusion import Fusion, fuse
from argot.ranking.hits import MISSING, Hits
from tests.argot.ranking.rankings import hits, random_hits


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
    fused = fuse(
        {"dense": dense, "bm25": lexical}, beside_bm25("convex", weight), 10, np.arange(40)
    )
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
    fused = fuse({"dense": dense, "bm25": lexical}, beside_bm25("rrf", 0.5), 3, np.arange(4))
    assert fused.positions.tolist() == [[2, 1, 3]]
    assert fused.scores[0] == pytest.approx([0.5 / 62 + 0.5 / 61, 0.5 / 61, 0.5 / 62])


def test_weight_one_is_dense_alone_and_weight_zero_bm25_alone() -> None:
    dense, lexical = random_hits(5, 30, 10, seed=3), random_hits(5, 30, 10, seed=4)
    alone = fuse({"dense": dense, "bm25": lexical}, beside_bm25("convex", 1.0), 10, np.arange(30))
    assert np.array_equal(alone.positions, dense.positions)
    assert np.array_equal(
        fuse(
            {"dense": dense, "bm25": lexical}, beside_bm25("rrf", 0.0), 10, np.arange(30)
        ).positions,
        lexical.positions,
    )


def test_equal_scores_are_ordered_by_id() -> None:
    dense, lexical = hits([{0: 1.0, 1: 0.0}], 2), hits([{2: 5.0}], 2)
    ties = np.array([2, 1, 0])  # the passage at position 2 has the smallest id
    assert fuse(
        {"dense": dense, "bm25": lexical}, beside_bm25("convex", 0.5), 3, ties
    ).positions.tolist() == [[2, 0, 1]]


def test_a_query_without_lexical_hits_keeps_its_dense_ranking() -> None:
    dense = hits([{3: 0.9, 1: 0.8, 2: 0.7}], 4)
    fused = fuse(
        {"dense": dense, "bm25": hits([{}], 4)}, beside_bm25("convex", 0.3), 4, np.arange(5)
    )
    assert fused.positions.tolist() == [[3, 1, 2, MISSING]]


def test_no_lexical_side_at_all_is_no_error() -> None:
    dense = hits([{3: 0.9, 1: 0.8}], 2)
    none = Hits(np.empty((1, 0), np.int32), np.empty((1, 0), np.float32))
    assert fuse(
        {"dense": dense, "bm25": none}, beside_bm25("convex", 0.5), 2, np.arange(5)
    ).positions.tolist() == [[3, 1]]


def test_three_rankers_are_summed_by_their_weights() -> None:
    found = {name: random_hits(30, 40, 12, seed, 0.8) for seed, name in enumerate("abc")}
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    ours = fuse(found, Fusion(method="rrf", weights=weights), 12, np.arange(40))
    for row in range(30):
        scores: dict[int, float] = {}
        for name, ranked in found.items():
            for rank, position in enumerate(ranked.positions[row].tolist(), start=1):
                if position != MISSING:
                    scores[position] = scores.get(position, 0) + weights[name] / (60 + rank)
        best = sorted(scores, key=lambda at: (-np.float32(scores[at]), at))
        assert ours.positions[row].tolist() == best[:12]


def test_a_ranker_of_weight_zero_is_not_asked() -> None:
    fusion = Fusion(method="convex", weights={"dense": 0.0, "bm25": 0.4, "tokens": 0.6})
    assert fusion.rankers == ["bm25", "tokens"]
    found = {"bm25": hits([{1: 2.0}], 1), "tokens": hits([{2: 0.5, 1: 0.1}], 2)}
    assert fuse(found, fusion, 2, np.arange(3)).positions.tolist() == [[2, 1]]


@pytest.mark.parametrize("weights", [{"dense": 7.0}, {"dense": 0.5}, {"dense": -1.0, "bm25": 2.0}])
def test_weights_that_are_no_shares_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="weights"):
        Fusion(method="convex", weights=weights)
