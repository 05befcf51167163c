"""Vectors kept between runs: found again by model and text, and dropped with their texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from argot.encoding import kept
from argot.encoding.store.encoded import Encoded, write_encoded
from argot.encoding.store.tokens import Tokens
from argot.encoding.store.vectors import Vectors, key


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def encoded(*texts: str, by_token: bool = False) -> Encoded:
    values = np.arange(2.0 * len(texts), dtype=np.float32).reshape(-1, 2)
    cut = np.array([text == "long" for text in texts])
    keys = [key(text) for text in texts]
    codes = np.array([[len(text)] for text in texts], np.uint8)
    scales, ids = np.ones(len(texts), np.float32), [np.zeros(1, np.int32) for _ in texts]
    tokens = Tokens(keys, ids, codes, scales, np.arange(len(texts) + 1))
    return Encoded(Vectors(keys, values, cut), tokens if by_token else Tokens.none())


def names(known: kept.Kept) -> set[str]:
    return {name for store in known.stores for name in store.keys}


def test_what_one_identity_made_is_known_whatever_the_model_was_called() -> None:
    for model, identity, text in (("base", "1", "one"), ("tuned", "1", "long"), ("base", "2", "x")):
        kept.write_segment(kept.segment_folder(model, "pairs", identity), encoded(text))
    known = kept.read_kept("pairs", "1")
    assert names(known) == {key("one"), key("long")}
    assert [known.vector(key(text))[1] for text in ("one", "long")] == [False, True]
    assert not kept.read_kept("passages", "1")


def test_a_segment_that_can_not_be_read_is_removed_and_the_others_are_read() -> None:
    folder = kept.segment_folder("base", "pairs", "1")
    for text in ("one", "two"):
        kept.write_segment(folder, encoded(text))
    damaged = folder / key(key("one"))
    (damaged / "vectors.npy").write_bytes(b"")
    assert names(kept.read_kept("pairs", "1")) == {key("two")}
    assert not damaged.exists()


def test_only_the_last_vectors_of_a_model_are_kept() -> None:
    for identity, text in (("1", "one"), ("2", "two"), ("2", "three")):
        kept.write_segment(kept.segment_folder("base", "pairs", identity), encoded(text))
    kept.keep_only(kept.segment_folder("base", "pairs", "2"), encoded("three", "four"))
    assert not kept.read_kept("pairs", "1")
    assert names(kept.read_kept("pairs", "2")) == {key("three"), key("four")}


def test_deleted_texts_are_dropped_from_every_model() -> None:
    for model in ("base", "tuned"):
        folder = kept.segment_folder(model, "pairs", model)
        kept.write_segment(folder, encoded("stays", f"only in {model}"))
    kept.forget_others("pairs", [key("stays")])
    for model in ("base", "tuned"):
        assert names(kept.read_kept("pairs", model)) == {key("stays")}


def test_without_a_repository_nothing_was_committed() -> None:
    write_encoded(Path("store"), encoded("one"))
    Path("figures.json").write_text('{"identity": "1"}')
    assert kept.read_committed(Path("store"), Path("figures.json"), "1").stores == []


def test_a_text_without_tokens_is_not_known_where_tokens_are_asked_for() -> None:
    folder = kept.segment_folder("base", "pairs", "1")
    kept.write_segment(folder, encoded("one", "two"))
    kept.write_segment(folder, encoded("two", "three", by_token=True))
    known = kept.read_kept("pairs", "1")
    assert [known.knows(key(text), False) for text in ("one", "two", "three")] == [True] * 3
    assert [known.knows(key(text), True) for text in ("one", "two", "three")] == [False, True, True]
    assert [
        store.tokens.some([key("two")]).codes.tolist()
        for store in known.stores
        if len(store.tokens)
    ] == [[[3]]]
