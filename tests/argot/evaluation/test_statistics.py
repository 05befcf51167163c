from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

from argot.evaluation.statistics import effective_documents, paired, provable

Floats = NDArray[np.float64]
# nDCG@10 of one relevant passage at ranks 1, 2, 3 ... or beyond the tenth: what differences are made of.
VALUES = np.array([0.0, 0.0, 0.0, 0.289, 0.333, 0.387, 0.431, 0.5, 0.631, 1.0, 1.0, 1.0])
TRIALS = 1500


def zipf(documents: int) -> NDArray[np.int64]:
    """The cluster of each of some five questions a document; the first has a third of them or so."""
    shares = 1 / np.arange(1, documents + 1)
    sizes = np.maximum(1, np.round(5 * documents * shares / shares.sum())).astype(int)
    return np.repeat(np.arange(documents), sizes)


def half_in_one(documents: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(documents), [5 * (documents - 1), *[5] * (documents - 1)])


def equal(documents: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(documents), 5)


def with_second(clusters: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """A share of the questions asks about a second document, drawn as often as it is asked about."""
    rng = np.random.default_rng(0)
    second = np.where(rng.random(len(clusters)) < share, rng.permutation(clusters), clusters)
    return np.stack([clusters, second], axis=1)


def world(clusters: NDArray[np.int64], rng: np.random.Generator, trials: int = TRIALS) -> Floats:
    """Differences of two equally good systems, (questions, trials); nearly half of them are zero.

    A question is as hard as its documents are, and either system has a taste for some documents.
    """
    clusters = clusters.reshape(len(clusters), -1)

    def of_documents(deviation: float) -> Floats:
        effects = rng.normal(0, deviation, (int(clusters.max()) + 1, trials))
        return np.asarray(effects[clusters].mean(axis=1))

    hard = of_documents(0.5) + rng.normal(0, 1, (len(clusters), trials))

    def system() -> Floats:
        place = (hard + of_documents(0.25) + rng.normal(0, 0.3, hard.shape)) * 2.5 + 6
        return np.asarray(VALUES[np.clip(place, 0, 11).astype(int)])

    return system() - system()


@pytest.mark.parametrize(
    "clusters",
    [
        *(equal(10), equal(20), equal(60)),
        *(zipf(20), zipf(60)),
        *(with_second(equal(20), 0.3), with_second(equal(60), 1.0), with_second(zipf(60), 0.3)),
    ],
)
def test_nineteen_of_twenty_intervals_hold_the_truth(clusters: NDArray[np.int64]) -> None:
    found = paired(world(clusters, np.random.default_rng(1)), clusters)
    covered, above = (found.low <= 0) & (found.high >= 0), found.low > 0
    assert 0.935 <= covered.mean() <= 0.985
    assert above.mean() <= 0.035


def test_one_document_with_half_of_the_questions_is_no_better_than_few_documents() -> None:
    clusters = half_in_one(60)
    assert effective_documents(clusters) < 4
    found = paired(world(clusters, np.random.default_rng(1)), clusters)
    assert (found.low > 0).mean() <= 0.025


def test_the_first_document_alone_would_prove_too_much() -> None:
    """What a question's second document adds is needed: without it false alarms are far too many."""
    clusters = with_second(equal(40), 1.0)
    rng = np.random.default_rng(1)
    effects = rng.normal(0, 0.3, (40, TRIALS))[clusters].mean(axis=1)
    differences = effects + rng.normal(0, 0.2, effects.shape)
    assert (paired(differences, clusters).low > 0).mean() <= 0.03
    assert (paired(differences, clusters[:, 0]).low > 0).mean() > 0.05


def test_joint_intervals_hold_all_truths_at_once() -> None:
    rng, covered, clusters = np.random.default_rng(5), 0, equal(40)
    for _ in range(300):
        differences = rng.normal(0, 0.1, (200, 10)) + rng.normal(0, 0.05, (40, 10))[clusters]
        found = paired(differences, clusters)
        covered += bool((found.joint_low <= 0).all() and (found.joint_high >= 0).all())
    assert 0.92 <= covered / 300 <= 0.99


def test_the_error_is_that_of_the_jackknife_over_documents() -> None:
    clusters = zipf(20)
    differences = world(clusters, np.random.default_rng(2), 1)[:, 0]
    without = [differences[clusters != left].mean() for left in range(20)]
    error = np.sqrt(np.sum((np.array(without) - differences.mean()) ** 2))
    found = paired(differences[:, None], clusters)
    assert found.error[0] == pytest.approx(error)
    reach = student.ppf(0.975, effective_documents(clusters) - 1) * error
    assert found.high[0] - found.mean[0] == pytest.approx(reach)


def test_the_error_with_several_documents_is_the_sum_over_related_pairs() -> None:
    clusters = with_second(zipf(20), 0.4)
    differences = world(clusters, np.random.default_rng(2), 1)[:, 0]
    related = (clusters[:, None, :, None] == clusters[None, :, None, :]).any(axis=(2, 3))
    scaled = (differences - differences.mean()) / (1 - related.mean(axis=1))
    error = np.sqrt(scaled @ related @ scaled) / len(clusters)
    assert paired(differences[:, None], clusters).error[0] == pytest.approx(error)
    assert effective_documents(clusters) == pytest.approx(len(clusters) ** 2 / related.sum())


@pytest.mark.parametrize(
    ("clusters", "documents"),
    [([], 0), ([3, 3, 3], 1), ([1, 1, 2, 2, 3, 3], 3), ([1, 1, 1, 2], 1.6), ([1, 2, 3], 3)],
)
def test_documents_count_by_their_questions(clusters: list[int], documents: float) -> None:
    found = effective_documents(np.array(clusters, dtype=np.int64))
    assert found == pytest.approx(documents)


def test_documents_that_one_question_joins_count_less() -> None:
    assert effective_documents(np.array([[1, 1], [2, 2], [1, 2]])) == pytest.approx(9 / 7)


def test_clustered_questions_prove_less_than_independent_ones() -> None:
    rng, clusters = np.random.default_rng(1), np.repeat(np.arange(30), 10)
    differences = (rng.normal(0, 0.2, 30)[clusters] + rng.normal(0, 0.05, 300))[:, None]
    clustered, independent = (paired(differences, each) for each in (clusters, np.arange(300)))
    assert clustered.error[0] > 2 * independent.error[0]


def test_an_interval_holds_its_mean_and_the_joint_one_holds_it() -> None:
    differences = np.random.default_rng(2).normal(0.1, 0.3, (100, 2, 3))
    found = paired(differences, np.arange(100) // 4)
    assert found.mean == pytest.approx(differences.mean(axis=0))
    assert (found.joint_low < found.low).all() and (found.low < found.mean).all()
    assert (found.mean < found.high).all() and (found.high < found.joint_high).all()


def test_equal_systems_differ_by_nothing() -> None:
    found = paired(np.zeros((50, 2)), np.arange(50) // 5)
    assert found.low.tolist() == found.high.tolist() == [0.0, 0.0]


def test_one_lucky_document_proves_nothing() -> None:
    differences = np.zeros((40, 1))
    differences[:4] = 1.0
    assert paired(differences, np.arange(40) // 4).low[0] <= 0


@pytest.mark.parametrize(
    "clusters",
    [
        np.zeros(0, dtype=np.int64),
        np.zeros(3, dtype=np.int64),
        np.array([0, 0, 0, 0, 1]),
        np.array([[0, 1], [0, 2], [0, 3], [0, 0], [1, 2], [3, 3]]),
    ],
)
def test_fewer_than_two_documents_prove_nothing(clusters: NDArray[np.int64]) -> None:
    found = paired(np.ones((len(clusters), 1)), clusters)
    assert (found.low.tolist(), found.high.tolist()) == ([-1.0], [1.0])
    assert found.error.tolist() == [1.0]


def test_a_document_that_every_question_names_leaves_nothing_to_compare() -> None:
    clusters = np.array([[0, 0], *([0, document] for document in range(1, 30))])
    assert paired(np.ones((30, 1)), clusters).low.tolist() == [-1.0]


def test_a_question_that_names_every_document_leaves_nothing_to_compare() -> None:
    clusters = np.array([[document] * 10 for document in range(10)] + [list(range(10))])
    assert effective_documents(clusters) > 2
    assert paired(np.ones((11, 1)), clusters).low.tolist() == [-1.0]


def test_questions_that_join_documents_never_take_the_error_away() -> None:
    """A question about two documents that does badly where theirs do well: the sum is negative."""
    clusters = np.array([[0, 0], [1, 1], [0, 1], *([document] * 2 for document in range(2, 12))])
    differences = np.array([0.4, 0.4, -0.8] + [0.0] * 10)
    assert paired(differences[:, None], clusters).error[0] > 0.05


def test_four_of_five_provable_gains_are_proven() -> None:
    clusters, rng = equal(40), np.random.default_rng(3)
    noise = rng.normal(0, 0.2, (40, TRIALS))[clusters] + rng.normal(0, 0.3, (200, TRIALS))
    error = np.sqrt(0.2**2 / 40 + 0.3**2 / 200)
    proven = paired(noise + provable(error, 40), clusters).low > 0
    assert proven.mean() == pytest.approx(0.8, abs=0.03)
