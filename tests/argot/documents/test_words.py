"""What counts as a word."""

from __future__ import annotations

import random

import pytest

from argot.documents.words import WORD, count_words, word_starts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("Cranes stop at 8.5 m/s.", 5),
        ("| --- | *** |", 0),
        ("大风 时", 3),
        ("x" * 49, 3),
        ("don't e-mail", 2),
    ],
)
def test_words_are_counted_in_any_script(text: str, words: int) -> None:
    assert count_words(text) == words


@pytest.mark.parametrize("seed", range(30))
def test_word_starts_are_where_the_pattern_matches(seed: int) -> None:
    chance = random.Random(seed)
    letters = "ab1_é字ครあ \n\t\u3000\x1c.,-|*#(\"'😀\ud800"
    text = "".join(chance.choice(letters) * chance.choice([1, 1, 1, 30]) for _ in range(300))
    assert list(word_starts(text)) == [match.start() for match in WORD.finditer(text)]
