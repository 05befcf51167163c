from __future__ import annotations

from dataclasses import replace

import pytest

from argot.evaluation.advice import Facts, advise, foreign, overlap
from argot.evaluation.metrics import Relevance
from argot.evaluation.verdict import ReleaseSettings

RULES = ReleaseSettings(
    accept_synthetic=False, min_questions=100, min_documents=10, looks=1, margin=0.0
)
SYSTEMS = {"bm25": 0.5, "base": 0.5, "base+bm25": 0.6, "tuned": 0.6, "tuned+bm25": 0.7}
FINE = Facts(
    documents=2000,
    training_pairs=8000,
    questions=300,
    effective_documents=60.0,
    real=True,
    scores=SYSTEMS,
    gain=0.1,
    ships="tuned",
    verdict="tuned",
    pair_overlap=0.6,
    question_overlap=0.55,
    question_words=9,
    passage_words=90,
    cut_share=0.0,
    fusion_lost=0.0,
    dev_is_real=False,
)


def codes(facts: Facts) -> list[str]:
    return [advice["code"] for advice in advise(facts, RULES)]


def test_a_good_run_needs_its_decision_alone() -> None:
    assert advise(FINE, RULES)[0]["command"] == "argot serve"
    assert codes(FINE) == ["use_tuned"]


def test_the_decision_is_the_first_advice() -> None:
    weak = replace(FINE, documents=84, gain=-0.003, fusion_lost=0.03, managed=("m", 0.05))
    assert codes(replace(weak, verdict="base", ships="base"))[0] == "keep_general"
    assert codes(replace(weak, verdict="unproven", ships="base"))[0] == "few_asked_about"
    assert codes(weak)[:3] == ["use_tuned", "managed_ahead", "choose_on_real"]


@pytest.mark.parametrize(
    ("changed", "code", "named"),
    [
        ({"questions": 40, "verdict": "unproven"}, "few_questions", "argot label"),
        (
            {"effective_documents": 3.9, "verdict": "unproven"},
            "few_asked_about",
            "about 3.9 documents",
        ),
        ({"fusion_lost": 0.03}, "choose_on_real", "3.0 points"),
        ({"documents": 160}, "few_documents", "160 documents"),
        ({"training_pairs": 700}, "few_pairs", "700 training pairs"),
        ({"scores": {**SYSTEMS, "bm25": 0.73}}, "bm25_ahead", "0.730"),
        ({"gain": 0.02, "pair_overlap": 0.9}, "easy_pairs", "90%"),
        ({"gain": 0.02}, "small_gain", "+2.0 points"),
        ({"ships": "base", "verdict": "base"}, "keep_general", "gained nothing"),
        ({"foreign": {"de": 0.83, "fr": 0.02}}, "foreign_language", "(83% in de)"),
        ({"question_words": 60}, "long_questions", "60 words"),
        ({"cut_share": 0.3}, "cut_passages", "30%"),
    ],
)
def test_each_advice_comes_when_it_is_due(
    changed: dict[str, object], code: str, named: str
) -> None:
    texts = {advice["code"]: advice["text"] for advice in advise(replace(FINE, **changed), RULES)}
    assert named in texts[code]


def test_a_language_that_the_card_doesnt_name_is_foreign() -> None:
    languages = ["de", "de", "de", "en"]
    assert foreign(languages, ["en"]) == {"de": 0.75}
    assert foreign(languages, []) == foreign(languages, ["multilingual"]) == {}


def test_without_any_query_there_is_advice_still() -> None:
    nothing = replace(
        FINE,
        questions=0,
        verdict="unproven",
        real=False,
        scores={},
        gain=0.0,
        pair_overlap=None,
        question_overlap=None,
        question_words=None,
    )
    assert codes(nothing) == ["few_questions"]


def test_overlap_takes_the_passage_that_holds_most_of_the_query() -> None:
    texts = ["the pump leaks oil", "a pump and a valve", "nothing of it"]
    assert overlap(["pumps leak"], Relevance.of([[0, 1]]), texts, "en") == 1.0
    assert overlap(["valve price", "oil"], Relevance.of([[1], [2]]), texts, "en") == pytest.approx(
        0.25
    )
    assert overlap([], Relevance.of([]), texts, "en") is None


def test_real_dev_questions_need_no_other_choice() -> None:
    assert codes(replace(FINE, fusion_lost=0.03, dev_is_real=True)) == ["use_tuned"]
