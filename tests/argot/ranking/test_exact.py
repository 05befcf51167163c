from __future__ import annotations

import numpy as np
import pytest

from argot.ranking.exact import inner_products, on_grid, slack, summable


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
