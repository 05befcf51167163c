from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.evaluation.choosing import DEFAULT, TUNED, TWO, beside_bm25, choose, curve
from argot.evaluation.metrics import Relevance, ndcg
from argot.evaluation.names import Sides
from argot.evaluation.verdict import (
    SAME_FUSION,
    Decision,
    PairedScores,
    ReleaseSettings,
    decide,
)
from argot.ranking.fusion import Fusion, alone, fuse
from argot.ranking.hits import Hits, top_k

FUSIONS = {
    "bm25": alone("bm25"),
    "base": alone("dense"),
    "base+bm25": beside_bm25("convex", 0.4),
    "tuned": alone("dense"),
    "tuned+bm25": beside_bm25("convex", 0.6),
}
NDCG = np.array([0.0, 0.0, 0.0, 0.289, 0.333, 0.387, 0.431, 0.5, 0.631, 1.0, 1.0, 1.0])


def rules(questions: int = 100, documents: int = 10, **settings: float | bool) -> ReleaseSettings:
    given = {"accept_synthetic": False, "looks": 1, "margin": 0.0, **settings}
    return ReleaseSettings(min_questions=questions, min_documents=documents, **given)


def evidence(
    seed: int,
    documents: int = 40,
    bm25: float = 0.0,
    base: float = 0.0,
    tuned: float = 0.0,
    vectors: float = 0.0,
) -> PairedScores:
    """Five questions or so a document; how much each system is better, in ranks or so, is given.

    `vectors` is how much better those of the tuned model are than those of the base.
    """
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(documents), 1 + rng.geometric(0.25, documents))
    hard = rng.normal(0, 0.5, documents)[clusters] + rng.normal(0, 1, len(clusters))

    def discounted(skill: float) -> NDArray[np.float64]:
        own = rng.normal(0, 0.25, documents)[clusters] + rng.normal(0, 0.5, len(clusters))
        return NDCG[np.clip((hard + own) * 2.5 + 6 + skill, 0, 11).astype(int)]

    scores = {
        "bm25": discounted(bm25),
        "base+bm25": discounted(base),
        "tuned+bm25": discounted(tuned),
        "base": discounted(-3.0),
        "tuned": discounted(-3.0 + vectors),
    }
    return PairedScores({**scores, SAME_FUSION: scores["base+bm25"]}, clusters)


NOTHING = PairedScores(
    {name: np.zeros(0) for name in (*FUSIONS, SAME_FUSION)}, np.zeros(0, dtype=np.int64)
)


def verdict(real: PairedScores, synthetic: PairedScores = NOTHING, **settings: Any) -> Decision:
    return decide(real, synthetic, FUSIONS, Sides(), rules(**settings))


@pytest.mark.parametrize(("bm25", "documents"), [(0.0, 25), (0.0, 60), (-2.0, 25), (-2.0, 60)])
def test_without_a_gain_tuned_ships_in_at_most_one_of_twenty(bm25: float, documents: int) -> None:
    """The best opponent is as good as tuned; the other is as good, or worse, which is the harder case."""
    ships = sum(
        verdict(evidence(seed, documents, bm25), questions=50).verdict.model == "tuned"
        for seed in range(500)
    )
    assert ships <= 20


def test_a_clear_gain_ships() -> None:
    decision = verdict(evidence(1, tuned=1.5))
    shipped = decision.verdict
    assert (shipped.model, shipped.verdict, shipped.system) == ("tuned", "tuned", "tuned+bm25")
    assert shipped.fusion == FUSIONS["tuned+bm25"]
    assert decision.numbers["low"] > 0
    assert "significantly better" in decision.reason


def test_a_gain_over_base_alone_does_not_ship() -> None:
    decision = verdict(evidence(2, bm25=3.0, tuned=1.5))
    assert (decision.verdict.model, decision.verdict.verdict) == ("base", "base")
    assert "not significantly better than BM25" in decision.reason


def test_a_gain_over_bm25_alone_does_not_ship() -> None:
    assert verdict(evidence(3, base=3.0, tuned=1.5)).verdict.model == "base"


def test_base_ships_as_bm25_where_that_is_significantly_better() -> None:
    assert verdict(evidence(4, bm25=3.0)).verdict.mode == "bm25"
    assert verdict(evidence(4)).verdict.mode == "hybrid"


@pytest.mark.parametrize(
    ("documents", "settings", "reason"),
    [
        (8, {"questions": 10}, "questions ask about 8 documents, "),
        (40, {"questions": 5000}, "real questions, of at least 5000: base ships"),
    ],
)
def test_few_questions_or_documents_prove_nothing(
    documents: int, settings: dict[str, int], reason: str
) -> None:
    decision = verdict(evidence(5, documents, tuned=3.0), evidence(6, tuned=3.0), **settings)
    assert (decision.verdict.model, decision.verdict.verdict) == ("base", "unproven")
    assert reason in decision.reason


def test_one_document_with_half_of_the_questions_proves_nothing() -> None:
    """A gain that many documents would prove is unproven, and the reason says why."""
    scores = evidence(5, 60, tuned=3.0)
    lopsided = np.where(np.arange(len(scores.clusters)) % 2 == 0, 0, scores.clusters)
    assert verdict(scores).verdict.model == "tuned"
    decision = verdict(PairedScores(scores.scores, lopsided))
    assert (decision.verdict.model, decision.verdict.verdict) == ("base", "unproven")
    assert "about 60 documents, 51% of them about one, which tells as much as 3." in decision.reason


def test_more_looks_at_the_same_questions_ask_for_more() -> None:
    first, tenth = (verdict(evidence(14, tuned=0.5), looks=looks) for looks in (1, 10))
    assert (first.verdict.model, tenth.verdict.model) == ("tuned", "base")
    assert "95 % interval" in first.reason and "99.5 % interval" in tenth.reason
    assert first.numbers["provable"] < tenth.numbers["provable"]


def ships_in_ten_looks(seed: int, looks: int) -> bool:
    """Does any of ten models ship that learned nothing, on the same questions?"""
    rng, first = np.random.default_rng(seed), evidence(seed, 30, bm25=-6.0)
    size = len(first.clusters)
    for _ in range(10):
        taste = rng.normal(0, 0.1, 30)[first.clusters] + rng.normal(0, 0.2, size)
        scores = {**first.scores, "tuned+bm25": first.scores["base+bm25"] + taste}
        decision = verdict(PairedScores(scores, first.clusters), looks=looks)
        if decision.verdict.model == "tuned":
            return True
    return False


def test_ten_looks_ship_nothing_more_often_than_one() -> None:
    assert sum(ships_in_ten_looks(seed, looks=10) for seed in range(100)) <= 6
    assert sum(ships_in_ten_looks(seed, looks=1) for seed in range(100)) > 10


def test_with_a_margin_better_vectors_ship_where_all_together_lose_little() -> None:
    scores = evidence(13, 60, -6.0, tuned=0.1, vectors=1.5)
    assert verdict(scores).verdict.model == "base"
    decision = verdict(scores, margin=4.0)
    assert (decision.verdict.model, decision.verdict.verdict) == ("tuned", "tuned")
    assert decision.numbers["low"] < 0
    assert "ships by release.margin: tuned is significantly better than base" in decision.reason
    assert "not worse by 4 points" in decision.reason


@pytest.mark.parametrize(
    "skills",
    [
        {"tuned": -0.3, "vectors": 1.5},  # all rankers together lose more than the margin
        {"tuned": 0.1, "vectors": 0.0},  # the vectors are no better
        {"tuned": 0.1, "vectors": 1.5, "bm25": 6.0},  # BM25 alone is better
    ],
)
def test_a_margin_ships_nothing_else(skills: dict[str, float]) -> None:
    assert verdict(evidence(13, 60, **{"bm25": -6.0, **skills}), margin=4.0).verdict.model == "base"


def test_a_significant_loss_does_not_ship_however_wide_the_margin() -> None:
    scores = evidence(13, 60, -6.0, tuned=-1.5, vectors=3.0)
    assert verdict(scores).numbers["high"] < 0
    assert verdict(scores, margin=100.0).verdict.model == "base"


def test_with_a_margin_a_simpler_system_that_is_significantly_better_ships() -> None:
    decision = verdict(evidence(13, 60, -6.0, tuned=0.1, vectors=6.0), margin=4.0)
    assert (decision.verdict.model, decision.verdict.system) == ("tuned", "tuned")


@pytest.mark.parametrize(
    ("tuned", "vectors", "margin"),
    [
        (-0.28, 1.5, 2.69),  # the vectors are better, but all together lose just the margin
        (0.0, 0.0, 100.0),  # nothing is better, and no margin is too wide
    ],
)
def test_a_margin_ships_in_at_most_one_of_twenty_what_it_must_not(
    tuned: float, vectors: float, margin: float
) -> None:
    ships = sum(
        verdict(
            evidence(seed, 30, -6.0, tuned=tuned, vectors=vectors), questions=50, margin=margin
        ).verdict.model
        == "tuned"
        for seed in range(400)
    )
    assert ships <= 24


def test_what_the_questions_could_have_proven_is_told() -> None:
    nothing = verdict(evidence(11))
    settled = verdict(evidence(1, tuned=1.5))
    assert settled.numbers["more_questions"] == 0
    assert settled.numbers["gain"] > settled.numbers["provable"] > 0
    assert str(nothing.power).endswith("in four cases of five (80 % power)")
    open_still = verdict(evidence(18, tuned=0.4))
    ratio = open_still.numbers["provable"] / open_still.numbers["gain"]
    more = open_still.numbers["questions"] * (ratio**2 - 1)
    assert open_still.numbers["more_questions"] == pytest.approx(more, rel=0.06)
    assert f"about {open_still.numbers['more_questions']:,} more" in str(open_still.power)


def test_a_gain_next_to_nothing_asks_for_no_number_of_questions() -> None:
    assert "too small for questions to prove" in str(verdict(evidence(21, tuned=0.3)).power)


def test_questions_about_one_document_could_have_proven_nothing() -> None:
    scores = evidence(11)
    alone = PairedScores(scores.scores, np.zeros(len(scores.clusters), dtype=np.int64))
    for decision in (verdict(alone), verdict(NOTHING)):
        assert "too few documents to prove any gain" in str(decision.power)


def test_no_questions_at_all_is_unproven() -> None:
    assert verdict(NOTHING).verdict.model_dump() == {
        "model": "base",
        "verdict": "unproven",
        "system": "base+bm25",
        "fusion": {"method": "convex", "weights": {"bm25": 0.6, "dense": 0.4}},
        "calibration": None,
    }


def test_synthetic_evidence_ships_only_when_accepted_and_only_a_gain() -> None:
    gain, none = evidence(7, tuned=2.0), evidence(8)
    accepted = verdict(NOTHING, gain, accept_synthetic=True)
    assert (accepted.verdict.model, accepted.verdict.verdict) == ("tuned", "unproven")
    assert "accept_synthetic" in accepted.reason
    assert verdict(NOTHING, none, accept_synthetic=True).verdict.model == "base"


def test_synthetic_evidence_never_overrules_real_questions() -> None:
    assert (
        verdict(evidence(9), evidence(10, tuned=3.0), accept_synthetic=True).verdict.model == "base"
    )


def test_the_numbers_are_finite() -> None:
    for decision in (verdict(NOTHING), verdict(evidence(11))):
        json.dumps(decision.numbers, allow_nan=False)


def null_run(seed: int, lexical_skill: float) -> Decision:
    """Base and tuned know equally much by chance alone; both are fused as dev says, and test decides."""
    rng = np.random.default_rng(seed)
    documents, passages, questions = 40, 120, 150
    target = rng.integers(0, passages, questions)
    clusters = target % documents
    ties, relevance = np.arange(passages), Relevance.of(target[:, None].tolist())
    hard = rng.normal(0, 1, documents)[clusters]

    def side(skill: float) -> Hits:
        scores = rng.normal(0, 1, (questions, passages))
        scores[np.arange(questions), target] += (
            skill + hard + rng.normal(0, 0.5, documents)[clusters]
        )
        return top_k((scores - scores.min()).astype(np.float32), 50, ties)

    found = {"bm25": side(lexical_skill), "base": side(2.0), "tuned": side(2.0)}
    dev, test = np.flatnonzero(clusters < 10), np.flatnonzero(clusters >= 10)
    fusions: dict[str, Fusion] = {name: alone("dense") for name in ("base", "tuned")}
    fusions["bm25"] = alone("bm25")
    hits = {name: found[name] for name in fusions}
    for model, default in (("base", DEFAULT), ("tuned", TUNED)):
        both = {"dense": found[model], "bm25": found["bm25"]}
        curves = {
            method: curve(both, TWO, relevance, method, ties)[:, dev]
            for method in ("convex", "rrf")
        }
        start = beside_bm25("convex", default).weights
        chosen = fusions[f"{model}+bm25"] = choose(curves, TWO, clusters[dev], start)
        hits[f"{model}+bm25"] = fuse(both, chosen, 10, ties)
    of_base = {"dense": found["base"], "bm25": found["bm25"]}
    hits[SAME_FUSION] = fuse(of_base, fusions["tuned+bm25"], 10, ties)
    scores = {
        system: ndcg(relevance.found(ranked.positions), relevance.counts)[test]
        for system, ranked in hits.items()
    }
    shown = PairedScores(scores, clusters[test])
    return decide(shown, NOTHING, fusions, Sides(), rules(50))


@pytest.mark.slow
@pytest.mark.parametrize("lexical_skill", [1.0, 2.5])
def test_a_model_that_gained_nothing_ships_in_at_most_one_of_twenty(lexical_skill: float) -> None:
    ships = sum(null_run(seed, lexical_skill).verdict.model == "tuned" for seed in range(250))
    assert ships <= 12


ALL = FUSIONS | {
    f"{model}+bm25+tokens": Fusion(
        method="convex", weights={"bm25": 0.25, "dense": 0.2, "tokens": 0.55}
    )
    for model in ("base", "tuned")
}
LEGS = Sides("base+bm25+tokens", "tuned+bm25+tokens")


def with_legs(seed: int, **skills: float) -> Decision:
    """Every system with its own skill, all rankers by default the better by two ranks or so."""
    given = {"base+bm25+tokens": 2.0, "tuned+bm25+tokens": 2.0, **skills}
    rng = np.random.default_rng(seed)
    documents = 40
    clusters = np.repeat(np.arange(documents), 1 + rng.geometric(0.25, documents))
    hard = rng.normal(0, 0.5, documents)[clusters] + rng.normal(0, 1, len(clusters))
    scores = {}
    for system in ALL:
        own = rng.normal(0, 0.5, len(clusters)) + given.get(system, 0.0)
        scores[system] = NDCG[np.clip((hard + own) * 2.5 + 6, 0, 11).astype(int)]
    scores[SAME_FUSION] = scores[LEGS.stays]
    shown = PairedScores(scores, clusters)
    return decide(shown, NOTHING, ALL, LEGS, rules())


def test_all_rankers_ship_and_the_gain_over_what_a_team_has_is_told() -> None:
    decision = with_legs(1)
    assert decision.verdict.system == "base+bm25+tokens"
    assert decision.numbers["over_today_low"] > 0
    assert "base + BM25 + tokens is significantly better than" in decision.reason


@pytest.mark.parametrize("simpler", ["bm25", "base", "base+bm25"])
def test_where_a_ranker_harms_the_system_without_it_ships(simpler: str) -> None:
    decision = with_legs(2, **{simpler: 4.0})
    assert decision.verdict.system == simpler
    assert decision.verdict.fusion == ALL[simpler]
    assert decision.verdict.model == "base"


def test_a_tuned_model_is_compared_with_the_base_by_the_same_rankers() -> None:
    assert with_legs(3, **{"tuned+bm25+tokens": 2.1}).verdict.model == "base"
    ships = with_legs(3, **{"tuned+bm25+tokens": 4.0}).verdict
    assert (ships.model, ships.system) == ("tuned", "tuned+bm25+tokens")
