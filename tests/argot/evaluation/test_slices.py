from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from argot.errors import ModelError
from argot.evaluation.slices import (
    by_document,
    by_jargon,
    by_language,
    by_length,
    compare,
    unknown_share,
)


def test_lengths_are_counted_in_words() -> None:
    assert by_length(["two words", " ".join(["word"] * 9), " ".join(["word"] * 30)]) == [
        "up to 4 words",
        "5 to 9 words",
        "20 words or more",
    ]


def test_a_word_in_several_pieces_is_unknown() -> None:
    assert unknown_share([0, 1, 1, 2, 3]) == 0.25
    assert unknown_share([]) == 0.0


def test_jargon_is_what_the_vocabulary_lacks(tmp_path: Path) -> None:
    pieces = ["[UNK]", "pump", "valve", "##head", "the", "of"]
    tokenizer = Tokenizer(
        WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = Whitespace()
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    assert by_jargon(["the pump", "the valve of pumphead pump", "pumphead"], tmp_path) == [
        "no unknown word",
        "up to a quarter unknown",
        "more than a quarter unknown",
    ]


def test_a_model_without_a_tokenizer_file_has_no_jargon(tmp_path: Path) -> None:
    assert by_jargon(["the pump"], tmp_path) == []


def test_queries_in_another_language_than_their_passage_are_named() -> None:
    german = ["Wie lange müssen wir das Anlagenbuch aufheben?", "Urlaub"]
    english = "how long do we have to keep the system log book?"
    same, other = "in its passage's language", "in another language"
    assert by_language([*german, english], ["de"] * 3) == [same, same, other]
    assert by_language([*german, english], ["de", "de", "en"]) == []


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_tokenizer_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=r"tokenizer\.json is damaged"):
        by_jargon(["the pump"], tmp_path)


def test_slices_are_compared_one_by_one() -> None:
    names = ["short"] * 60 + ["long"] * 60
    ours = np.concatenate([np.full(60, 0.9), np.full(60, 0.3)]) + np.random.default_rng(0).normal(
        0, 0.05, 120
    )
    found = compare(names, ours, np.full(120, 0.6), np.arange(120) // 4)
    assert found["short"]["low"] > 0 > found["long"]["high"]
    assert found["short"]["difference"] == pytest.approx(
        found["short"]["ours"] - found["short"]["theirs"]
    )


def test_the_more_slices_the_wider_their_intervals() -> None:
    rng = np.random.default_rng(1)
    difference = rng.normal(0, 0.2, 400)
    few = compare(["a"] * 100 + ["b"] * 300, difference, np.zeros(400), np.arange(400))
    names = ["a"] * 100 + [f"kind{at}" for at in range(10) for _ in range(30)]
    many = compare(names, difference, np.zeros(400), np.arange(400))
    assert many["a"]["high"] - many["a"]["low"] > few["a"]["high"] - few["a"]["low"]


def test_documents_that_lose_and_gain_most_are_named() -> None:
    found = by_document(["a", "b", "b", "c", "d"], np.array([0.5, -0.3, -0.1, 0.0, -0.2]))
    assert found == {
        "losing": [
            {"document": "b", "queries": 2, "difference": pytest.approx(-0.2)},
            {"document": "d", "queries": 1, "difference": pytest.approx(-0.2)},
        ],
        "gaining": [{"document": "a", "queries": 1, "difference": 0.5}],
    }
