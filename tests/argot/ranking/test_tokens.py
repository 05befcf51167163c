from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.encoding.embedder import Embedder
from argot.encoding.store.tokens import Tokens
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import InputError
from argot.ranking.hits import MISSING, Hits, ranked, tie_order
from argot.ranking.tokens import TokenIndex, multiplied, rarity
from tests.support.threads import torch_threads
from tools.tiny.model import make_tiny_model

TOPICS = ["pump", "valve", "filter", "invoice", "refund", "motor", "seal", "cable"]
PASSAGES = [
    f"the {one} of the {other} must be checked before the {third} is opened again"
    for one in TOPICS
    for other in TOPICS[:4]
    for third in TOPICS[4:]
]
QUESTIONS = ["how is the pump checked", "refund of an invoice", "seal"]
IDS = [f"{place * 7919 % 1009:04}" for place in range(len(PASSAGES))]
TIES = tie_order(IDS)
ALL = np.tile(np.arange(len(PASSAGES), dtype=np.int32), (len(QUESTIONS), 1))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TokenEncoder:
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"), [*PASSAGES, *QUESTIONS])
    return TokenEncoder(Embedder.load(folder, "cpu"))


@pytest.fixture(scope="module")
def passages(encoder: TokenEncoder) -> Tokens:
    return encoder.encode(PASSAGES, "passage")[1]


@pytest.fixture(scope="module")
def questions(encoder: TokenEncoder) -> Tokens:
    return encoder.encode(QUESTIONS, "query")[1]


@pytest.fixture(scope="module")
def index(encoder: TokenEncoder, passages: Tokens) -> TokenIndex:
    return TokenIndex.build(passages)


def search(
    index: TokenIndex,
    questions: Tokens,
    k: int,
    candidates: NDArray[np.int32],
    ties: NDArray[np.int64],
) -> Hits:
    hits = ranked(candidates, index.score(questions, candidates), ties)
    return Hits(hits.positions[:, :k], hits.scores[:, :k])


def brute_force(questions: Tokens, passages: Tokens) -> NDArray[np.float64]:
    """Weighted MaxSim by its definition, (questions, passages)."""
    held = [set(ids.tolist()) for ids in passages.ids]
    scores = np.zeros((len(questions), len(passages)))
    for row in range(len(questions)):
        counts = [sum(id in ids for ids in held) for id in questions.ids[row].tolist()]
        weights = [np.sqrt(np.log(1 + (len(held) - df + 0.5) / (df + 0.5))) for df in counts]
        for place in range(len(passages)):
            nearest = (questions.vectors(row) @ passages.vectors(place).T).max(axis=1)
            scores[row, place] = np.average(nearest, weights=weights)
    return scores


def test_scores_are_maxsim_weighed_by_rarity(
    index: TokenIndex, questions: Tokens, passages: Tokens
) -> None:
    expected = brute_force(questions, passages)
    hits = search(index, questions, len(PASSAGES), ALL, TIES)
    found = np.take_along_axis(expected, hits.positions.astype(np.int64), axis=1)
    assert np.allclose(hits.scores, found, atol=1e-5)
    assert (np.diff(hits.scores, axis=1) <= 0).all()
    assert (np.sort(hits.positions, axis=1) == ALL).all()


def test_only_candidates_are_ranked(index: TokenIndex, questions: Tokens) -> None:
    candidates = np.array([[5, 9, MISSING, 2], [MISSING] * 4, [7, MISSING, MISSING, 8]], np.int32)
    whole = search(index, questions, len(PASSAGES), ALL, TIES)
    hits = search(index, questions, 4, candidates, TIES)
    for row, wanted in enumerate(candidates):
        best = [place for place in whole.positions[row] if place in wanted]
        padding = [MISSING] * (4 - len(best))
        assert hits.positions[row].tolist() == best + padding
        assert np.isneginf(hits.scores[row, len(best) :]).all()


def test_k_keeps_the_best(index: TokenIndex, questions: Tokens) -> None:
    whole = search(index, questions, len(PASSAGES), ALL, TIES)
    assert np.array_equal(search(index, questions, 3, ALL, TIES).positions, whole.positions[:, :3])


def test_of_equal_scores_the_smaller_id_is_first(
    encoder: TokenEncoder, passages: Tokens, questions: Tokens
) -> None:
    same = TokenIndex.build(passages.take([3] * 20))
    ties = tie_order(IDS[:20])
    candidates = np.tile(np.arange(20, dtype=np.int32)[::-1], (len(QUESTIONS), 1))
    hits = search(same, questions, 20, candidates, ties)
    assert (hits.positions == np.argsort(ties)).all()


def test_neighbours_and_threads_change_no_score(index: TokenIndex, questions: Tokens) -> None:
    whole = search(index, questions, 10, ALL, TIES)
    for count in (1, 2):
        with torch_threads(count):
            for row in range(len(QUESTIONS)):
                alone = search(index, questions.take([row]), 10, whole.positions[[row], ::-1], TIES)
                assert np.array_equal(alone.positions[0], whole.positions[row])
                assert np.array_equal(alone.scores[0], whole.scores[row])


def test_torch_and_numpy_give_the_same_products(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    random = np.random.default_rng(13)
    for codes, asked in ((15, 127), (15, -127)):
        left, right = np.full((3, 4096), codes, np.int8), np.full((4096, 2), asked, np.int8)
        left[0], right[:, 0] = random.integers(0, 16, 4096), random.integers(-127, 128, 4096)
        assert sys.modules["torch"] is torch
        by_torch = multiplied(left, right)
        with monkeypatch.context() as patch:
            patch.delitem(sys.modules, "torch")
            assert np.array_equal(multiplied(left, right), by_torch)
        assert np.array_equal(by_torch, left.astype(np.int64) @ right.astype(np.int64))


def test_a_question_finds_the_passages_that_name_its_thing(
    index: TokenIndex, questions: Tokens
) -> None:
    best = search(index, questions, 5, ALL, TIES).positions[2]
    assert all("seal" in PASSAGES[place] for place in best)


def test_no_question_and_no_candidate_are_nothing(index: TokenIndex, questions: Tokens) -> None:
    none = search(index, questions.take([]), 5, ALL[:0], TIES)
    assert none.positions.shape == (0, 5)
    empty = search(index, questions, 5, ALL[:, :0], TIES)
    assert empty.positions.shape == (len(QUESTIONS), 0)


def test_rarer_tokens_weigh_more() -> None:
    weights = rarity(np.array([0, 1, 0, 0, 2], np.int32), 3)
    assert weights[3] > weights[1] == weights[2] > weights[0] > 0
    assert weights[1] == pytest.approx(np.sqrt(np.log(1 + 2.5 / 1.5)))


def test_an_index_is_mapped_as_it_was_saved(
    index: TokenIndex, questions: Tokens, tmp_path: Path
) -> None:
    index.save(tmp_path / "one")
    index.save(tmp_path / "two")
    loaded = TokenIndex.load(tmp_path / "one")
    before, after = (search(each, questions, 10, ALL, TIES) for each in (index, loaded))
    assert np.array_equal(before.positions, after.positions)
    assert np.array_equal(before.scores, after.scores)
    assert isinstance(loaded.codes.base, np.memmap)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["codes.npy", "scales.npy", "offsets.npy", "held.npy", "ends.npy"])
def test_a_damaged_part_is_named(index: TokenIndex, tmp_path: Path, name: str) -> None:
    index.save(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-20])
    with pytest.raises(InputError, match=str(tmp_path)):
        TokenIndex.load(tmp_path)


@pytest.mark.parametrize("id", [-1, 2**31 - 1])
def test_ids_of_no_vocabulary_are_refused_before_memory_is_taken(
    index: TokenIndex, tmp_path: Path, id: int
) -> None:
    index.save(tmp_path)
    held = index.held.copy()
    held[0] = id
    np.save(tmp_path / "held.npy", held)
    with pytest.raises(InputError, match=r"held\.npy holds ids of no vocabulary"):
        TokenIndex.load(tmp_path)


def test_tokens_of_another_model_are_refused(
    index: TokenIndex, questions: Tokens, tmp_path: Path
) -> None:
    folder = make_tiny_model(tmp_path / "other", PASSAGES, dimension=16)
    other = TokenEncoder(Embedder.load(folder, "cpu")).encode(QUESTIONS, "query")[1]
    with pytest.raises(InputError, match="another model"):
        search(index, other, 5, ALL, TIES)


def test_questions_are_no_passages(encoder: TokenEncoder, questions: Tokens) -> None:
    with pytest.raises(InputError, match="of questions"):
        TokenIndex.build(questions)


def test_who_sees_some_passages_weighs_tokens_as_if_there_were_no_others(
    index: TokenIndex, passages: Tokens, questions: Tokens
) -> None:
    rows = np.arange(0, len(PASSAGES), 3)
    alone = TokenIndex.build(passages.take(rows.tolist()))
    every = np.tile(np.arange(len(rows), dtype=np.int32), (len(QUESTIONS), 1))
    seen = index.among(rows).score(questions, rows.astype(np.int32)[every])
    assert np.array_equal(seen, alone.score(questions, every))
