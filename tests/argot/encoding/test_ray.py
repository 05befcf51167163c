from __future__ import annotations

import numpy as np
import pytest

from argot.encoding import ray as ray_engine
from argot.errors import ModelError
from argot.search.index import VectorIndex

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]
RANDOM = np.random.default_rng(13)


def product(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other)


def test_an_index_filled_by_a_cluster_has_the_bytes_of_one_filled_here(
    cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = RANDOM.standard_normal((3000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    monkeypatch.setattr("argot.search.index.SHARD", 700)
    here = VectorIndex.build(vectors, "ivf_pq")
    with monkeypatch.context() as patch:
        patch.setattr(VectorIndex, "add", None)  # here, not in the workers
        there = VectorIndex.build(vectors, "ivf_pq", ray_engine.each)
    assert np.array_equal(there.to_bytes(), here.to_bytes())


def test_a_worker_that_fails_is_told_in_one_line(cluster: None) -> None:
    with pytest.raises(
        ModelError, match=r"^machine\.engine: a worker of the Ray cluster failed \([^\n]+\)$"
    ):
        list(ray_engine.each(product, np.ones(2), [np.ones(3)]))
