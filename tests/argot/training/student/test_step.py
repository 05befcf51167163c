from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from argot.errors import ModelError
from argot.training.student.abbreviations import Aliases
from argot.training.student.step import (
    Memory,
    Objective,
    Phrasing,
    RankingLoss,
    Shape,
    hard_groups,
    mini_batches,
    plan,
    ranking_loss,
    select,
    step_loss,
)

OBJECTIVE = Objective(temperature=0.05, teacher_temperature=0.1, contrast=0.1, trusted_share=0.5)


class Lookup(torch.nn.Module):
    """A model whose vector of a text is the mean of its words' vectors."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.words = torch.nn.Parameter(weight * torch.randn(50, 6, generator=generator))

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        mask = features["attention_mask"].unsqueeze(-1)
        words = self.words[features["input_ids"]]
        return {
            "token_embeddings": words,
            "sentence_embedding": (words * mask).sum(1) / mask.sum(1),
        }


def features(lengths: list[int]) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(0, 50, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


def labels(
    scores: list[list[float]],
    own: list[int],
    masked: Sequence[tuple[int, int]] = (),
    trusted: Sequence[int] = (),
) -> torch.Tensor:
    table = torch.zeros(4, len(scores), len(scores[0]))
    table[0] = torch.tensor(scores)
    for row, column in masked:
        table[1, row, column] = 1
    table[2, torch.arange(len(own)), torch.tensor(own)] = 1
    table[3, list(trusted)] = 1
    return table


def loss_and_gradient(
    memory: Memory, trusted: Sequence[int] = (0, 3), by_token: bool = True
) -> tuple[float, torch.Tensor]:
    model = Lookup()
    loss = RankingLoss(model, OBJECTIVE, memory)
    texts = [features([3, 5, 2, 4]), features([9, 4, 7])]
    for part in texts:
        if by_token:
            part["weights"] = part["attention_mask"] / part["attention_mask"].sum(1, keepdim=True)
    value = loss(texts, labels([[1, 0.2, 0]] * 4, [0, 0, 1, 2], trusted=trusted))
    value.backward()
    assert model.words.grad is not None
    return float(value.detach()), model.words.grad


def test_loss_is_zero_where_the_student_ranks_as_the_teacher() -> None:
    scores = [[0.9, 0.3, 0.0], [0.1, 0.8, 0.2]]
    logits = torch.tensor(scores) / 0.1
    alone = replace(OBJECTIVE, contrast=0.0)
    found = float(ranking_loss(logits, labels(scores, [0, 1]), alone))
    assert found == pytest.approx(0, abs=1e-6)


def test_loss_matches_its_definition() -> None:
    scores, logits = np.array([[0.9, 0.3, 0.0]]), np.array([[2.0, 1.0, -1.0]])
    target = np.exp(scores / 0.5) / np.exp(scores / 0.5).sum()
    student = np.log(np.exp(logits) / np.exp(logits).sum())
    divergence = (target * (np.log(target) - student)).sum()
    contrast = -np.log(np.exp(2.0) / (np.exp(2.0) + np.exp(-1.0)))  # the second passage is masked
    objective = replace(OBJECTIVE, teacher_temperature=0.5, contrast=0.3)
    table = labels(scores.tolist(), [0], [(0, 1)])
    found = ranking_loss(torch.tensor(logits), table, objective)
    assert float(found) == pytest.approx(divergence + 0.3 * contrast, abs=1e-6)


def test_a_masked_passage_is_not_pushed_away_by_the_contrast() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    table = labels([[0.0, 0.0, 0.0]], [0], [(0, 1)])  # a teacher without opinion, as the student
    ranking_loss(logits, table, replace(OBJECTIVE, contrast=1.0)).backward()
    assert logits.grad is not None
    assert float(logits.grad[0, 1]) == pytest.approx(0, abs=1e-6)
    assert float(logits.grad[0, 2]) > 0.1


def test_a_trusted_label_is_contrasted_and_no_teacher_is_asked() -> None:
    logits = np.array([[2.0, 1.0, -1.0]])
    # The teacher prefers the second passage; the third is masked.
    found = step_loss(
        torch.tensor(logits), labels([[0.1, 0.9, 0.3]], [0], [(0, 2)], trusted=[0]), OBJECTIVE
    )
    assert float(found) == pytest.approx(-np.log(np.exp(2) / (np.exp(2) + np.exp(1))), abs=1e-6)


def test_trusted_labels_have_their_share_of_the_loss_however_many_they_are() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.5, 1.0], [0.0, 1.0]])
    table = labels([[0.9, 0.1], [0.8, 0.3], [0.7, 0.2]], [0, 0, 1], trusted=[2])
    objective = replace(OBJECTIVE, trusted_share=0.3)
    by_rule = step_loss(logits[:2], table[:, :2], objective)
    trusted = step_loss(logits[2:], table[:, 2:], objective)
    assert by_rule == ranking_loss(logits[:2], table[:, :2], objective)
    found = step_loss(logits, table, objective)
    assert float(found) == pytest.approx(float(0.7 * by_rule + 0.3 * trusted), abs=1e-6)


@pytest.mark.parametrize("memory", [Memory(9), Memory(20), Memory(9, recompute=True)])
def test_less_memory_gives_the_same_loss_and_gradient(memory: Memory) -> None:
    value, gradient = loss_and_gradient(Memory(10_000))
    smaller, other = loss_and_gradient(memory)
    assert smaller == pytest.approx(value, abs=1e-6)
    assert torch.allclose(gradient, other, atol=1e-6)


@pytest.mark.parametrize("trusted", [[], [0, 3], [0, 1, 2, 3]])
def test_all_labels_train_the_tokens_where_they_are_searched(trusted: list[int]) -> None:
    plain, _ = loss_and_gradient(Memory(100), trusted, by_token=False)
    assert loss_and_gradient(Memory(100), trusted)[0] > plain + 0.01


def test_a_loss_that_is_no_number_ends_with_advice() -> None:
    loss = RankingLoss(Lookup(weight=float("nan")), OBJECTIVE, Memory(100))
    with pytest.raises(ModelError, match=r"train\.learning_rate"):
        loss([features([2]), features([3, 3])], labels([[1, 0]], [0]))


def test_queries_are_rewritten_in_the_share_that_is_asked_for() -> None:
    def put(noisy_share: float, abbreviation_share: float) -> list[str]:
        phrasing = Phrasing(
            noisy_share, abbreviation_share, Aliases({"VGM": "verified gross mass"}), 3
        )
        return [
            phrasing.rewrite("who sends the VGM", "en", np.random.default_rng(seed))
            for seed in range(200)
        ]

    assert set(put(0.0, 0.0)) == {"who sends the VGM"}
    assert set(put(0.0, 1.0)) == {"who sends the verified gross mass"}
    assert 60 < put(0.0, 0.5).count("who sends the VGM") < 140
    assert len(set(put(1.0, 0.0))) > 20


def test_cut_vectors_have_their_part_in_the_loss() -> None:
    def value(*dimensions: int) -> float:
        loss = RankingLoss(Lookup(), OBJECTIVE, Memory(100), dimensions)
        return loss([features([3, 5]), features([9, 4])], labels([[1, 0.2]] * 2, [0, 0])).item()

    assert value(6) == pytest.approx(value())
    assert value(2) != pytest.approx(value())


def test_mini_batches_hold_no_more_tokens_than_allowed() -> None:
    lengths = [50, 40, 12, 10, 9, 3, 1]
    parts = [lengths[rows] for rows in mini_batches(lengths, 48)]
    assert [length for part in parts for length in part] == lengths
    assert all(len(part) == 1 or len(part) * part[0] <= 48 for part in parts)


def test_select_drops_columns_of_padding() -> None:
    chosen = select(features([3, 7, 2]), torch.tensor([0, 2]))
    assert chosen["input_ids"].shape == (2, 3)


def test_a_pass_holds_every_passage_once_with_its_own_queries() -> None:
    own = np.array([0, 0, 0, 2, 2, 4, 5])
    rivals = [
        np.array([4]),
        np.array([], dtype=int),
        np.array([5]),
        np.array([0]),
        np.array([0]),
        np.array([2]),
    ]
    steps = list(
        plan(
            own,
            np.zeros(7, dtype=bool),
            rivals,
            Shape(passages=3, queries=2, hard_group=2),
            np.random.default_rng(1),
        )
    )
    assert sorted(np.concatenate([step.passages for step in steps]).tolist()) == [0, 2, 4, 5]
    for step in steps:
        assert (own[step.queries] == step.passages[step.own]).all()
        assert np.bincount(step.own).max() <= 2
        assert len(set(step.queries.tolist())) == len(step.queries)


def test_of_trusted_and_other_queries_so_many_each_are_drawn() -> None:
    own, trusted = np.array([0] * 9 + [1] * 3), np.array([True] * 4 + [False] * 8)
    rivals = [np.array([], dtype=int)] * 2
    [step] = plan(own, trusted, rivals, Shape(2, 3, 2), np.random.default_rng(1))
    assert (own[step.queries] == step.passages[step.own]).all()
    drawn = sorted((own[at].item(), trusted[at].item()) for at in step.queries)
    assert drawn == [(0, False)] * 3 + [(0, True)] * 3 + [(1, False)] * 3


def test_other_queries_are_drawn_in_another_pass() -> None:
    own, rivals, shape = np.zeros(40, dtype=int), [np.array([], dtype=int)], Shape(2, 4, 2)
    drawn = [
        next(plan(own, own > 0, rivals, shape, np.random.default_rng(seed))).queries.tolist()
        for seed in (1, 2)
    ]
    assert set(drawn[0]) != set(drawn[1])


def test_groups_join_passages_that_the_teacher_confuses() -> None:
    rivals = [np.array([3, 1]), np.array([0]), np.array([3]), np.array([0, 2])]
    assert list(hard_groups(np.array([0, 1, 2, 3]), rivals, 2)) == [[0, 3], [1], [2]]
