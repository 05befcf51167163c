from __future__ import annotations

import numpy as np
import pytest
import torch

from argot.ranking import exact
from argot.ranking.exact import (
    Near,
    inner_products,
    on_grid,
    single_threaded,
    slack,
    summable,
)


def vectors(count: int, dimension: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, dimension))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("dimension", [1, 8, 384, 1024])
def test_inner_products_are_the_same_in_any_order(dimension: int) -> None:
    first, others = on_grid(vectors(1, dimension, 0))[0], on_grid(vectors(200, dimension, 1))
    found = inner_products(first, others)
    order = np.random.default_rng(2).permutation(dimension)
    assert np.array_equal(found, inner_products(first[order], others[:, order]))
    one_by_one = np.zeros(200)
    for column in order:
        one_by_one += first[column].astype(np.float64) * others[:, column]
    assert np.array_equal(found, one_by_one.astype(np.float32))


@pytest.mark.parametrize("dimension", [8, 384, 1024])
def test_a_fast_product_is_within_half_of_the_slack(dimension: int) -> None:
    queries, others = vectors(40, dimension, 3), vectors(500, dimension, 4)
    others[:20] = queries[:20]  # the largest sums have the largest errors
    for query, fast in zip(queries, queries @ others.T, strict=True):
        exact = inner_products(on_grid(query), on_grid(others))
        assert np.abs(fast - exact).max() < slack(dimension) / 2


@pytest.mark.parametrize("scale", [1e-6, 1.0, 12345.6])
def test_sums_of_summable_values_are_the_same_in_any_order(scale: float) -> None:
    random = np.random.default_rng(5)
    values = summable(random.standard_normal(1000) * scale, 1000)
    totals = {float(random.permutation(values).cumsum()[-1]) for _ in range(50)}
    assert len(totals) == 1
    assert len({float(random.permutation(values / 3).cumsum()[-1]) for _ in range(50)}) > 1


def test_summable_values_are_those_that_were_given_but_for_rounding() -> None:
    values = np.random.default_rng(6).standard_normal(100)
    assert np.allclose(summable(values, 100), values, rtol=0, atol=1e-13)
    assert summable(np.zeros(3), 3).tolist() == [0, 0, 0]
    assert summable(np.array([1.0, 0.5, 0.25]), 8).tolist() == [1, 0.5, 0.25]


def exact_products(queries: np.ndarray, passages: np.ndarray) -> np.ndarray:
    return np.stack([inner_products(query, passages) for query in queries])


@pytest.mark.parametrize("heavy", [1, 1 << 60], ids=["bfloat16", "float32"])
@pytest.mark.parametrize("order", ["random", "rising", "falling", "copies"])
@pytest.mark.parametrize("block", [1 << 21, 3000, 1])
def test_the_nearest_are_among_those_that_are_found(
    heavy: int, order: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "BLOCK", block)
    monkeypatch.setattr(exact, "HEAVY", heavy)
    queries, passages = on_grid(vectors(7, 24, 1)), on_grid(vectors(900, 24, 2))
    if order == "copies":
        passages = np.repeat(passages[:90], 10, axis=0)
    if order in ("rising", "falling"):
        sign = 1 if order == "rising" else -1
        passages = passages[np.argsort(sign * (passages @ queries[0]))]
    true = exact_products(queries, passages)
    for k in (1, 10, 900, 2000):
        row, place = Near(passages, 7).find(queries, k)
        least = np.sort(true, axis=1)[:, -min(k, 900)]
        found = {(at, spot) for at, spot in zip(row.tolist(), place.tolist(), strict=True)}
        assert {tuple(pair) for pair in np.argwhere(true >= least[:, None]).tolist()} <= found
        assert len(found) == len(row)
        assert np.array_equal(np.lexsort((place, row)), np.arange(len(row)))
        assert (true[row, place] >= least[row] - 0.05).all()


@pytest.mark.parametrize("dimension", [8, 384, 1024])
def test_bfloat16_moves_no_score_below_what_is_expected(
    dimension: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "HEAVY", 1)
    monkeypatch.setattr(exact, "_has_bfloat16", lambda: True)  # torch converts elsewhere
    queries, passages = on_grid(vectors(40, dimension, 3)), on_grid(vectors(500, dimension, 4))
    passages[:20] = queries[:20]  # the largest sums have the largest errors
    score, below = Near(passages, 40)._product(queries)
    true, found = exact_products(queries, passages), exact._floats(score(slice(0, 500)))
    order = np.argsort(true, axis=1)
    true, found = np.take_along_axis(true, order, 1), np.take_along_axis(found, order, 1)
    # Each found score may be that of any passage which is as good: those behind it in the order.
    assert (np.minimum.accumulate(found[:, ::-1], axis=1)[:, ::-1] >= below(found)).all()
    assert below(np.float32(0.2)) < 0.197


def test_no_passage_is_near_where_there_is_none() -> None:
    row, place = Near(np.empty((0, 4), np.float32), 2).find(on_grid(vectors(2, 4, 5)), 3)
    assert len(row) == len(place) == 0


def test_threads_of_torch_are_as_before_after_each_product_had_one() -> None:
    before = torch.get_num_threads()
    with single_threaded():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
