from __future__ import annotations

import pytest

from argot.serving.ask.citations import NOT_ANSWERED, claims_of

PASSAGES = [
    "A shaft seal that weeps more than five drops a minute is replaced.",
    "Damaged goods are taken back within “thirty” days – at *our* cost.",
]


def test_a_quote_that_stands_in_its_passage_supports_the_claim() -> None:
    (claim,) = claims_of(
        'Weeping seals are replaced [1: "more than five drops a minute"].', PASSAGES
    )
    assert claim.text == "Weeping seals are replaced."
    assert claim.supported


@pytest.mark.parametrize(
    "quote",
    [
        'within "thirty" days',
        "Within THIRTY days"[:6],
        "days - at our cost",
        "Damaged goods ... thirty",
        "taken\nback",
    ],
)
def test_case_quotes_dashes_breaks_and_ellipses_are_no_difference(quote: str) -> None:
    (claim,) = claims_of(f"We take them back. [2 “{quote}”]", PASSAGES)
    assert claim.supported, claim


def test_words_of_writings_without_spaces_are_quoted() -> None:
    (claim,) = claims_of('They go back. [1 "三十天内"] [1 "VGM"]', ["请在三十天内退货VGM。"])
    assert claim.supported


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('Seals last. [3 "five drops"]', "there is no passage 3"),
        ('Seals last. [0 "five drops"]', "there is no passage 0"),
        ('Seals last. [1 "six drops a minute"]', "passage 1 doesn't hold these words"),
        ('Seals last. [1 "a minute ... five drops"]', "passage 1 doesn't hold these words"),
        ('Seals last. [1 "..."]', "quotes nothing"),
        ('Seals last. [1 "e"]', "passage 1 doesn't hold these words"),
        ('Seals last. [1 "A"]', "quotes too little"),
        ('Seals last. [1 "haft seal"]', "passage 1 doesn't hold these words"),
        ('Seals last. [1 "five drop"]', "passage 1 doesn't hold these words"),
        ("Seals last. [1]", "quotes nothing"),
    ],
)
def test_a_wrong_citation_is_found(line: str, problem: str) -> None:
    (claim,) = claims_of(line, PASSAGES)
    assert [citation.problem for citation in claim.citations] == [problem]
    assert not claim.supported


def test_one_wrong_citation_spoils_the_claim() -> None:
    (claim,) = claims_of('Both. [1 "five drops"] [2 "sixty days"]', PASSAGES)
    assert len(claim.citations) == 2
    assert not claim.supported


def test_a_claim_without_citation_is_unsupported() -> None:
    first, second = claims_of(
        '- Seals are cheap.\n- They are replaced. [1 "is replaced"]', PASSAGES
    )
    assert (first.text, first.supported, second.supported) == ("Seals are cheap.", False, True)


def test_documents_that_dont_tell_make_no_claim() -> None:
    assert claims_of(NOT_ANSWERED, PASSAGES) == []
