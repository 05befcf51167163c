from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.evaluation.statistics import paired

# nDCG@10 of one relevant passage at ranks 1, 2, 3 ... or beyond the tenth: what differences are made of.
VALUES = np.array([0.0, 0.0, 0.0, 0.289, 0.333, 0.387, 0.431, 0.5, 0.631, 1.0, 1.0, 1.0])


def world(
    documents: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Differences of two systems over questions whose documents decide much, and have from 2 to some 15 each."""
    clusters = np.repeat(np.arange(documents), 1 + rng.geometric(0.25, documents))
    effect = rng.normal(0, 0.5, documents)[clusters] + rng.normal(0, 1, len(clusters))
    taste = rng.normal(0, 0.25, documents)[clusters]

    def system(own: NDArray[np.float64]) -> NDArray[np.float64]:
        place = (effect + own + rng.normal(0, 0.5, len(clusters))) * 2.5 + 6
        return VALUES[np.clip(place, 0, 11).astype(int)]

    return system(taste) - system(np.zeros(len(clusters))), clusters


def truth() -> float:
    return float(world(200_000, np.random.default_rng(0))[0].mean())


@pytest.mark.parametrize("documents", [20, 60, 150])
def test_nineteen_of_twenty_intervals_hold_the_truth(documents: int) -> None:
    rng, mean = np.random.default_rng(documents), truth()
    covered, above = 0, 0
    for trial in range(800):
        differences, clusters = world(documents, rng)
        found = paired(differences[:, None], clusters, samples=1000, seed=trial)
        covered += bool(found.low[0] <= mean <= found.high[0])
        above += bool(found.low[0] > mean)
    assert 0.93 <= covered / 800 <= 0.97
    assert above / 800 <= 0.04


def test_joint_intervals_hold_all_truths_at_once() -> None:
    rng, covered = np.random.default_rng(5), 0
    for trial in range(300):
        clusters = np.repeat(np.arange(40), 5)
        differences = rng.normal(0, 0.1, (200, 10)) + rng.normal(0, 0.05, (40, 10))[clusters]
        found = paired(differences, clusters, samples=500, seed=trial)
        covered += bool((found.joint_low <= 0).all() and (found.joint_high >= 0).all())
    assert 0.91 <= covered / 300 <= 0.98


def test_clustered_questions_prove_less_than_independent_ones() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(30), 10)
    differences = (rng.normal(0, 0.2, 30)[clusters] + rng.normal(0, 0.05, 300))[:, None]
    width = {
        name: np.ptp([found.low[0], found.high[0]])
        for name, found in {
            "clustered": paired(differences, clusters, 2000, 0),
            "independent": paired(differences, np.arange(300), 2000, 0),
        }.items()
    }
    assert width["clustered"] > 2 * width["independent"]


def test_an_interval_holds_its_mean_and_the_joint_one_holds_it() -> None:
    differences = np.random.default_rng(2).normal(0.1, 0.3, (100, 2, 3))
    found = paired(differences, np.arange(100) // 4, 1000, 0)
    assert found.mean == pytest.approx(differences.mean(axis=0))
    assert (found.joint_low <= found.low).all() and (found.low < found.mean).all()
    assert (found.mean < found.high).all() and (found.high <= found.joint_high).all()


def test_equal_systems_differ_by_nothing() -> None:
    found = paired(np.zeros((50, 2)), np.arange(50) // 5, 500, 0)
    assert found.low.tolist() == found.high.tolist() == [0.0, 0.0]


def test_one_lucky_document_proves_nothing() -> None:
    differences = np.zeros((40, 1))
    differences[:4] = 1.0
    assert paired(differences, np.arange(40) // 4, 1000, 0).low[0] <= 0


@pytest.mark.parametrize("queries", [0, 3])
def test_fewer_than_two_documents_prove_nothing(queries: int) -> None:
    found = paired(np.ones((queries, 1)), np.zeros(queries, dtype=np.int64), 100, 0)
    assert (found.low.tolist(), found.high.tolist()) == ([-1.0], [1.0])


def test_the_same_seed_gives_the_same_interval() -> None:
    differences = np.random.default_rng(3).normal(0, 0.3, (80, 4))
    first, again = (paired(differences, np.arange(80) // 4, 1000, 7) for _ in range(2))
    assert np.array_equal(first.low, again.low) and np.array_equal(
        first.joint_high, again.joint_high
    )


def test_a_comparison_without_evidence_leaves_the_others_alone() -> None:
    """Two systems that hardly differ must not widen the joint intervals of the others."""
    differences = np.random.default_rng(4).normal(0.2, 0.1, (80, 2))
    differences[:, 1] = 0.0
    differences[7, 1] = 0.5
    found = paired(differences, np.arange(80) // 4, 1000, 0)
    assert found.joint_low[0] > 0
    assert (found.joint_low[1], found.joint_high[1]) == (-1.0, 1.0)
