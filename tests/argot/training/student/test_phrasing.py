from __future__ import annotations

import numpy as np

from argot.training.student.phrasing import WRAPPERS, typed

QUERY = "When does the laundry on Dock Street close?"


def many(query: str, english: bool) -> set[str]:
    return {typed(query, english, np.random.default_rng(seed)) for seed in range(300)}


def test_the_words_of_the_query_stay_in_their_order() -> None:
    for put in many(QUERY, english=True):
        kept = [
            word
            for word in QUERY[:-1].lower().split()
            if word in put.lower().split() or f"{word}?" in put.lower()
        ]
        assert len(kept) >= len(QUERY.split()) - 1, put  # but for one with a slip


def test_other_languages_get_no_english_words() -> None:
    for put in many("Wann schließt die Wäscherei?", english=False):
        assert len(put.split()) == 4


def test_every_wrapper_is_used_and_holds_the_query() -> None:
    assert all(wrapper.count("{}") == 1 for wrapper in WRAPPERS)
    # "Dock" is too short for a slip, so only the wrapper and the case of letters differ.
    put = {text.lower() for text in many("Dock", english=True)}
    assert put == {wrapper.format("Dock").lower() for wrapper in WRAPPERS}


def test_the_same_draw_gives_the_same_text() -> None:
    one, two = (typed(QUERY, True, np.random.default_rng(5)) for _ in range(2))
    assert one == two


def test_braces_in_a_query_are_letters() -> None:
    assert any("{0}" in put for put in many("what is {0} in a slip?", english=True))
