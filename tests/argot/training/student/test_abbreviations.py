from __future__ import annotations

import pytest

from argot.training.student.abbreviations import Aliases, abbreviations, definitions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Send the verified gross mass (VGM) first.", [("VGM", "verified gross mass")]),
        ("a VGM (verified gross mass) is due", [("VGM", "verified gross mass")]),
        ("the Letter of Indemnity (LOI)", [("LOI", "Letter of Indemnity")]),
        ("type II alveolar cells (ATII)", []),  # its letters don't come in this order
        ("we ask (see below) for more", []),
        ("the old form (2019)", []),
        ("Gross weight\n(VGM)", []),
        ("(VGM)", []),
        ("every very green machine (VGM) of ours", [("VGM", "very green machine")]),
    ],
)
def test_definitions_are_found(text: str, found: list[tuple[str, str]]) -> None:
    assert list(definitions(text)) == found


def test_the_commonest_long_form_is_kept() -> None:
    texts = ["bill of lading (BL)", "Bill of Lading (BL)", "berth list (BL)"]
    assert abbreviations(texts) == {"BL": "bill of lading"}


def test_abbreviations_and_long_forms_change_places() -> None:
    aliases = Aliases({"VGM": "verified gross mass", "VG": "very good"})
    assert aliases.swapped("who sends the VGM?") == "who sends the verified gross mass?"
    assert aliases.swapped("who sends the Verified gross mass?") == "who sends the VGM?"
    assert (
        aliases.swapped("VGMs are no such word, nor is vgm") == "VGMs are no such word, nor is vgm"
    )


def test_without_abbreviations_nothing_changes() -> None:
    assert Aliases({}).swapped("who sends it?") == "who sends it?"


def test_a_text_full_of_brackets_takes_no_time() -> None:
    assert not abbreviations(["(" * 20_000, "A(" * 20_000, "(AB " * 20_000])


@pytest.mark.parametrize("text", ["the groſs maſs of a box", "the GROSS MASS of a box"])
def test_letters_that_only_a_pattern_takes_for_equal_break_nothing(text: str) -> None:
    swapped = Aliases({"GM": "gross mass"}).swapped(text)
    assert swapped in (text, "the GM of a box")


def test_a_letter_that_grows_in_lower_case_moves_nothing() -> None:
    assert list(definitions("İİİ the verified gross mass (VGM)")) == [
        ("VGM", "verified gross mass")
    ]
