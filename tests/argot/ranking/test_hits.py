import numpy as np

from argot.ranking.hits import MISSING, Hits, search_exact, tie_order, top_k


def by_definition(scores: np.ndarray, ids: list[str], k: int) -> list[list[int]]:
    return [sorted(range(len(ids)), key=lambda at: (-row[at], ids[at]))[:k] for row in scores]


def test_ties_go_to_the_smaller_id() -> None:
    ids = ["c", "a", "b"]
    hits = top_k(np.array([[1, 1, 1], [0, 1, 1]], dtype=np.float32), 2, tie_order(ids))
    assert hits.positions.tolist() == [[1, 2], [1, 2]]


def test_top_k_equals_a_full_sort_with_many_ties() -> None:
    draw = np.random.default_rng(0)
    scores = draw.integers(0, 5, size=(40, 60)).astype(np.float32)
    ids = [f"{number:03d}" for number in draw.permutation(60)]
    for k in (1, 7, 60, 99):
        assert top_k(scores, k, tie_order(ids)).positions.tolist() == by_definition(scores, ids, k)


def test_minus_infinity_is_no_hit() -> None:
    hits = top_k(np.array([[0.5, -np.inf]], dtype=np.float32), 2, tie_order(["a", "b"]))
    assert hits.positions.tolist() == [[0, -1]]


def test_exact_search_is_the_same_in_blocks(monkeypatch: object) -> None:
    import argot.ranking.exact

    draw = np.random.default_rng(1)
    queries, passages = (
        draw.normal(size=(9, 4)).astype(np.float32),
        draw.normal(size=(30, 4)).astype(np.float32),
    )
    ties = tie_order([str(number) for number in range(30)])
    whole = search_exact(queries, passages, 5, ties)
    monkeypatch.setattr(argot.ranking.exact, "BLOCK", 20)  # type: ignore[attr-defined]
    monkeypatch.setattr(argot.ranking.exact, "QUERIES", 4)  # type: ignore[attr-defined]
    assert search_exact(queries, passages, 5, ties).positions.tolist() == whole.positions.tolist()


def test_no_queries_give_no_hits() -> None:
    hits = search_exact(
        np.empty((0, 4), np.float32), np.empty((3, 4), np.float32), 5, tie_order(["a", "b", "c"])
    )
    assert hits.positions.shape[0] == 0


def test_heavy_searches_on_a_card_rank_as_others(monkeypatch: object) -> None:
    """By torch on the processor: small whole numbers make equal scores, and sums that don't depend on their order."""
    import argot.ranking.hits

    draw = np.random.default_rng(2)
    queries, passages = (
        draw.integers(-2, 3, size=(count, 6)).astype(np.float32) for count in (37, 90)
    )
    ties = draw.permutation(90)
    for k in (1, 7, 90, 200):
        whole = search_exact(queries, passages, k, ties)
        with monkeypatch.context() as patch:  # type: ignore[attr-defined]
            patch.setattr(argot.ranking.hits, "HEAVY", 1)
            patch.setattr(argot.ranking.hits, "BLOCK", 900)
            patch.setattr(argot.ranking.hits, "_card", lambda: "cpu")
            found = search_exact(queries, passages, k, ties)
        assert found.positions.tolist() == whole.positions.tolist()
        assert np.array_equal(found.scores, whole.scores)


def test_equal_vectors_tie_for_a_query_alone_as_in_a_batch() -> None:
    """BLAS adds up in another order for other numbers of queries, and at other places of a matrix."""
    draw = np.random.default_rng(3)
    distinct = draw.normal(size=(40, 387)).astype(np.float32)
    distinct /= np.linalg.norm(distinct, axis=1, keepdims=True)
    passages = np.tile(distinct, (7, 1))  # seven copies of each
    queries = distinct + np.float32(0.01) * draw.normal(size=distinct.shape).astype(np.float32)
    ties = draw.permutation(len(passages))
    together = search_exact(queries, passages, 10, ties)
    for row, query in enumerate(queries):
        alone = search_exact(query[None], passages, 10, ties)
        assert np.array_equal(alone.positions[0], together.positions[row])
        assert np.array_equal(alone.scores[0], together.scores[row])
        copies = np.arange(row, len(passages), 40)
        assert together.positions[row, :7].tolist() == copies[np.argsort(ties[copies])].tolist()


def test_more_hits_follow_those_that_were_found_first() -> None:
    first = Hits(np.array([[4, 2, -1]], np.int32), np.array([[0.9, 0.5, -np.inf]], np.float32))
    deeper = Hits(np.array([[2, 7, 4, 1]], np.int32), np.array([[0.8, 0.7, 0.6, 0.1]], np.float32))
    found = first.followed_by(deeper, 5)
    assert found.positions.tolist() == [[4, 2, 7, 1, MISSING]]
    assert found.scores[0, :4].tolist() == np.float32([0.9, 0.5, 0.5, 0.1]).tolist()
