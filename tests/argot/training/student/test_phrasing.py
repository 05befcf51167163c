from __future__ import annotations

import numpy as np
import pytest

from argot.training.student.phrasing import WRAPPERS, noisy

QUERY = "When does the laundry on Dock Street close?"


def many(query: str, language: str) -> set[str]:
    return {noisy(query, language, np.random.default_rng(seed)) for seed in range(300)}


def test_the_words_of_the_query_stay_in_their_order() -> None:
    for put in many(QUERY, "en"):
        kept = [
            word
            for word in QUERY[:-1].lower().split()
            if word in put.lower().split() or f"{word}?" in put.lower()
        ]
        assert len(kept) >= len(QUERY.split()) - 1, put  # but for one with a slip


def test_languages_without_wrappers_get_no_words() -> None:
    for put in many("Quando chiude la lavanderia?", "it"):
        assert len(put.split()) == 4


@pytest.mark.parametrize(
    ("language", "query", "typed"),
    [
        ("de", "Größe über Öl?", "groesse ueber oel"),
        ("fr", "Où payer l'été ?", "ou payer l'ete"),
        ("es", "¿Qué día?", "que dia"),
    ],
)
def test_marks_are_left_out_at_times(language: str, query: str, typed: str) -> None:
    put = [text.lower() for text in many(query, language)]
    share = sum(typed in text for text in put) / len(put)
    assert 0.1 < share < 0.5
    assert any(query.lower() in text for text in put)


@pytest.mark.parametrize("language", sorted(WRAPPERS))
def test_every_wrapper_is_used_and_holds_the_query(language: str) -> None:
    wrappers = WRAPPERS[language]
    assert all(wrapper.count("{}") == 1 for wrapper in wrappers)
    # "Dock" is too short for a slip, so only the wrapper and the case of letters differ.
    put = {text.lower() for text in many("Dock", language)}
    assert put == {wrapper.format("Dock").lower() for wrapper in wrappers}


def test_the_same_draw_gives_the_same_text() -> None:
    one, two = (noisy(QUERY, "en", np.random.default_rng(5)) for _ in range(2))
    assert one == two


def test_braces_in_a_query_are_letters() -> None:
    assert any("{0}" in put for put in many("what is {0} in a slip?", "en"))
