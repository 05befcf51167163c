from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.fusion import Fusion
from argot.verdict import Decision, Evidence, ReleaseSettings, decide

FUSIONS = {"base": Fusion("convex", 0.4), "tuned": Fusion("convex", 0.6)}
NDCG = np.array([0.0, 0.0, 0.0, 0.289, 0.333, 0.387, 0.431, 0.5, 0.631, 1.0, 1.0, 1.0])


def rules(questions: int = 100, documents: int = 20, accept_synthetic: bool = False) -> ReleaseSettings:
    return ReleaseSettings(accept_synthetic=accept_synthetic, min_questions=questions, min_documents=documents)


def evidence(seed: int, documents: int = 40, bm25: float = 0.0, base: float = 0.0, tuned: float = 0.0) -> Evidence:
    """Five questions or so a document; how much each system is better, in ranks or so, is given."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(documents), 1 + rng.geometric(0.25, documents))
    hard = rng.normal(0, 0.5, documents)[clusters] + rng.normal(0, 1, len(clusters))

    def ndcg(skill: float) -> NDArray[np.float64]:
        own = rng.normal(0, 0.25, documents)[clusters] + rng.normal(0, 0.5, len(clusters))
        return NDCG[np.clip((hard + own) * 2.5 + 6 + skill, 0, 11).astype(int)]

    return Evidence({"bm25": ndcg(bm25), "base+bm25": ndcg(base), "tuned+bm25": ndcg(tuned)}, clusters)


NOTHING = Evidence({name: np.zeros(0) for name in ("bm25", "base+bm25", "tuned+bm25")}, np.zeros(0, dtype=np.int64))


def verdict(real: Evidence, synthetic: Evidence = NOTHING, **settings: int | bool) -> Decision:
    return decide(real, synthetic, FUSIONS, rules(**settings), samples=1000, seed=13)


@pytest.mark.parametrize(("bm25", "documents"), [(0.0, 25), (0.0, 60), (-2.0, 25), (-2.0, 60)])
def test_without_a_gain_tuned_ships_in_at_most_one_of_twenty(bm25: float, documents: int) -> None:
    """The best opponent is as good as tuned; the other is as good, or worse, which is the harder case."""
    ships = sum(verdict(evidence(seed, documents, bm25), questions=50).model == "tuned" for seed in range(500))
    assert ships <= 25


def test_a_clear_gain_ships() -> None:
    decision = verdict(evidence(1, tuned=1.5))
    assert (decision.model, decision.verdict, decision.fusion) == ("tuned", "tuned", FUSIONS["tuned"])
    assert decision.numbers["low"] > 0
    assert "surely better" in decision.reason


def test_a_gain_over_base_alone_does_not_ship() -> None:
    decision = verdict(evidence(2, bm25=3.0, tuned=1.5))
    assert (decision.model, decision.verdict) == ("base", "base")
    assert "not surely better than BM25" in decision.reason


def test_a_gain_over_bm25_alone_does_not_ship() -> None:
    assert verdict(evidence(3, base=3.0, tuned=1.5)).model == "base"


def test_base_ships_as_bm25_where_that_is_surely_better() -> None:
    assert verdict(evidence(4, bm25=3.0)).as_json()["mode"] == "lexical"
    assert verdict(evidence(4)).as_json()["mode"] == "fused"


@pytest.mark.parametrize(("documents", "settings"), [(15, {"questions": 20}), (40, {"questions": 5000})])
def test_few_questions_or_documents_prove_nothing(documents: int, settings: dict[str, int]) -> None:
    decision = verdict(evidence(5, documents, tuned=3.0), evidence(6, tuned=3.0), **settings)
    assert (decision.model, decision.verdict) == ("base", "unproven")
    assert decision.reason.startswith("only ")


def test_no_questions_at_all_is_unproven() -> None:
    assert verdict(NOTHING).as_json() == {
        "model": "base",
        "verdict": "unproven",
        "mode": "fused",
        "fusion": {"method": "convex", "weight": 0.4},
    }


def test_synthetic_evidence_ships_only_when_accepted_and_only_a_gain() -> None:
    gain, none = evidence(7, tuned=2.0), evidence(8)
    accepted = verdict(NOTHING, gain, accept_synthetic=True)
    assert (accepted.model, accepted.verdict) == ("tuned", "unproven")
    assert "accept_synthetic" in accepted.reason
    assert verdict(NOTHING, none, accept_synthetic=True).model == "base"


def test_synthetic_evidence_never_overrules_real_questions() -> None:
    assert verdict(evidence(9), evidence(10, tuned=3.0), accept_synthetic=True).model == "base"


def test_the_numbers_are_finite() -> None:
    for decision in (verdict(NOTHING), verdict(evidence(11))):
        json.dumps(decision.numbers, allow_nan=False)
