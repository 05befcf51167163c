from __future__ import annotations

import numpy as np
import pytest

from argot import Retriever
from argot.errors import InputError
from argot.feedback.drift import (
    FEW,
    LEVEL,
    SampleDifference,
    compare_samples,
    describe_queries,
    holm,
    unknown_share,
)


def sample(
    random: np.random.Generator, count: int, length: float = 8, score: float = 0.6
) -> dict[str, np.ndarray]:
    return {
        "length": random.poisson(length, count).astype(float),
        "unknown words": random.binomial(6, 0.1, count) / 6,
        "best score": random.normal(score, 0.1, count),
    }


def test_alarms_are_rare_where_nothing_has_changed() -> None:
    random = np.random.default_rng(13)
    alarms = [
        any(
            one.drifted
            for one in compare_samples(sample(random, 120), sample(random, FEW + trial % 200))
        )
        for trial in range(500)
    ]
    assert np.mean(alarms) <= LEVEL + 3 * np.sqrt(LEVEL / 500)


def test_a_real_change_is_found_and_named() -> None:
    random = np.random.default_rng(13)
    for trial in range(50):
        found = compare_samples(sample(random, 150), sample(random, 150, score=0.5))
        assert [one.name for one in found if one.drifted] == ["best score"], trial


@pytest.mark.parametrize(
    ("name", "before", "now", "advice"),
    [
        ("unknown words", 0.1, 0.4, "add documents"),
        ("unknown words", 0.4, 0.1, "users' questions are easier"),
        ("best score", 0.6, 0.9, "users' questions are easier"),
        ("best score", 0.9, 0.6, "where no passage answers them, add documents"),
        ("length", 4, 9, "questions are longer"),
        ("length", 9, 4, "questions are shorter"),
    ],
)
def test_advice_follows_the_direction(name: str, before: float, now: float, advice: str) -> None:
    assert advice in SampleDifference(name, before, now, 0.5, 0.001).advice


def test_a_trifle_is_no_drift_however_many_ask() -> None:
    random = np.random.default_rng(13)
    found = compare_samples(sample(random, 20_000), sample(random, 20_000, score=0.59))
    score = next(one for one in found if one.name == "best score")
    assert score.p < 1e-6
    assert not score.drifted


def test_too_few_questions_are_told(made: object) -> None:
    random = np.random.default_rng(13)
    with pytest.raises(InputError, match=f"users asked 49 questions; at least {FEW}"):
        compare_samples(sample(random, 100), sample(random, 49))


def test_holms_correction_is_as_published() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03), "holm")
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_questions_are_described_by_the_release(made: object, release: str) -> None:
    retriever = Retriever.load(release, device="cpu")
    assert unknown_share(retriever, "the seal weeps zanzibar quux") == pytest.approx(0.5)
    told = describe_queries(retriever, ["error E-17", "zanzibar quux flub"])
    assert told["length"].tolist() == [2, 3]
    assert told["unknown words"].tolist() == [0, 1]
    assert told["best score"][0] == pytest.approx(
        retriever.search("error E-17", 1, "dense")[0].score
    )
