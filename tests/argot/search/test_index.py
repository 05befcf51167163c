from __future__ import annotations

import sys
from pathlib import Path

import faiss
import numpy as np
import pytest

from argot.errors import InputError, ReleaseError
from argot.ranking.fusion import DEPTH
from argot.ranking.hits import search_exact
from argot.search.index import (
    FLAT_UP_TO,
    HNSW_UP_TO,
    Kind,
    VectorIndex,
    Vectors,
    kind_for,
    read_head,
    recall,
    tune,
)

KINDS: list[Kind] = ["flat", "hnsw", "ivf_pq"]
TIES = np.arange(3000)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    random = np.random.default_rng(13)
    centres = random.standard_normal((40, 32))
    return unit(centres[random.integers(0, 40, 3000)] + 0.6 * random.standard_normal((3000, 32)))


@pytest.fixture(scope="module")
def queries(vectors: Vectors) -> Vectors:
    random = np.random.default_rng(7)
    return unit(vectors[:100] + 0.3 * random.standard_normal((100, 32)))


@pytest.fixture(scope="module")
def built(vectors: Vectors) -> dict[Kind, VectorIndex]:
    return {kind: VectorIndex.build(vectors, kind) for kind in KINDS}


def unit(vectors: np.ndarray) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_the_recall_that_is_asked_for_is_reached(
    built: dict[Kind, VectorIndex], vectors: Vectors, queries: Vectors, kind: Kind
) -> None:
    index = built[kind]
    reached = tune(index, vectors, queries, 0.95)
    found = index.search(queries, DEPTH, TIES).positions[:, :10]  # as deep as a search looks
    exact = search_exact(queries, vectors, 10, TIES)
    shares = [
        len(set(a.tolist()) & set(b.tolist())) / 10
        for a, b in zip(found, exact.positions, strict=True)
    ]
    assert np.mean(shares) >= 0.95
    assert reached == pytest.approx(np.mean(shares))


def test_more_effort_finds_no_less(
    built: dict[Kind, VectorIndex], vectors: Vectors, queries: Vectors
) -> None:
    exact = search_exact(queries, vectors, 10, TIES)
    index = built["hnsw"]
    reached = []
    for index.effort in (10, 40, 400):
        reached.append(recall(index, exact, queries))
    assert reached == sorted(reached)
    assert reached[0] < reached[-1]


def test_a_recall_out_of_reach_is_an_error(
    vectors: Vectors, queries: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = VectorIndex.build(vectors, "ivf_pq")
    monkeypatch.setattr("argot.search.index.DEPTH", 10)
    index.index.k_factor = 1
    with pytest.raises(
        InputError, match=r"ivf_pq reaches recall@10 0\.\d+ .* index\.recall asks for 1\.0"
    ):
        tune(index, vectors, queries, 1.0)


def test_shards_merged_are_the_bytes_of_an_index_filled_at_once(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = VectorIndex.build(vectors, "ivf_pq").to_bytes()
    monkeypatch.setattr("argot.search.index.SHARD", 700)
    assert np.array_equal(VectorIndex.build(vectors, "ivf_pq").to_bytes(), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_vectors_give_the_same_bytes_and_come_back(
    vectors: Vectors, queries: Vectors, tmp_path: Path, kind: Kind
) -> None:
    one, two = VectorIndex.build(vectors, kind), VectorIndex.build(vectors, kind)
    one.effort = two.effort = 32
    one.save(tmp_path / "one")
    two.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_head(tmp_path / "one") == (kind, 32, 3000)
    back = VectorIndex.load(tmp_path / "one")
    assert (back.kind, back.effort, len(back), back.dimension) == (kind, one.effort, 3000, 32)
    assert np.array_equal(
        back.search(queries, 5, TIES).positions, one.search(queries, 5, TIES).positions
    )
    assert np.abs(back.vectors - vectors).max() < (0.02 if kind == "ivf_pq" else 1e-9)


def test_cells_are_found_on_cards_where_there_are_some(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def on_cards(index: faiss.Index) -> faiss.Index:
        asked.append(index.d)
        return index

    expected = faiss.serialize_index(VectorIndex.build(vectors, "ivf_pq").index)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", on_cards, raising=False)
    assert np.array_equal(
        faiss.serialize_index(VectorIndex.build(vectors, "ivf_pq").index), expected
    )
    assert asked == [32]


@pytest.mark.parametrize("kind", KINDS)
def test_among_given_rows_search_is_exact(
    built: dict[Kind, VectorIndex], queries: Vectors, kind: Kind
) -> None:
    rows = np.arange(5, 3000, 17)
    found = built[kind].search(queries, 6, TIES, rows)
    expected = search_exact(queries, built[kind].vectors[rows], 6, TIES[rows])
    assert np.array_equal(found.positions, rows[expected.positions])
    assert built[kind].search(queries, 6, TIES, rows[:0]).positions.shape == (100, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_are_in_the_order_of_ids(kind: Kind) -> None:
    same = np.repeat(unit(np.random.default_rng(1).standard_normal((150, 8))), 2, axis=0)
    index = VectorIndex.build(same, kind)
    index.effort = 512
    ties = np.arange(300)[::-1].copy()
    found = index.search(same[10:11], 2, ties)
    assert found.positions.tolist() == [[11, 10]]


def test_auto_goes_by_the_number_of_passages() -> None:
    sizes = (1, FLAT_UP_TO, FLAT_UP_TO + 1, HNSW_UP_TO, HNSW_UP_TO + 1)
    assert [kind_for(size) for size in sizes] == ["flat", "flat", "hnsw", "hnsw", "ivf_pq"]


def test_too_few_passages_for_ivf_pq_are_an_error(vectors: Vectors) -> None:
    with pytest.raises(InputError, match="ivf_pq needs 256 passages or more, there are 100"):
        VectorIndex.build(vectors[:100], "ivf_pq")


def test_a_file_that_is_no_index_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"IxPT" + bytes(40))
    with pytest.raises(ReleaseError, match="no FAISS index of a known kind"):
        VectorIndex.load(tmp_path / "x")


def test_without_faiss_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    VectorIndex.build(np.eye(4, dtype=np.float32)).save(tmp_path / "index.faiss")
    monkeypatch.setitem(sys.modules, "faiss", None)  # as where neither extra is installed
    with pytest.raises(InputError, match=r"pip install 'argot-retrieval\[cpu\]'"):
        VectorIndex.load(tmp_path / "index.faiss")
    with pytest.raises(InputError, match="needs FAISS"):
        VectorIndex.build(np.eye(4, dtype=np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_asking_for_more_never_changes_the_first_hits(
    built: dict[Kind, VectorIndex], queries: Vectors, kind: Kind
) -> None:
    first = built[kind].search(queries, DEPTH, TIES)
    more = built[kind].search(queries, 3 * DEPTH, TIES)
    assert np.array_equal(more.first(DEPTH).positions, first.positions)
    assert more.positions.shape == (len(queries), 3 * DEPTH)
