from __future__ import annotations

import pytest

from argot.queries.brought.matching import PassageFinder, plain
from argot.queries.brought.pair import BroughtPair
from argot.queries.refusals import Refused
from argot.tables.chunks import ChunkRow

TEXTS = [
    ("returns.md", "Returns", "Boxes come back *within seven days*, see [the tariff](t.md#d)."),
    ("returns.md", "Returns > Late", "Late boxes cost 40 a day. Nobody waives it."),
    ("fuel.md", "Fuel", "Fuel is charged monthly. The price is that of the first Monday."),
    ("copy.md", "Fuel", "Fuel is charged monthly. The price is that of the first Monday."),
    ("japan.md", "", "東京都の港では、コンテナは七日以内に返却してください。"),
]


def finder(copy: str = "fuel.md") -> PassageFinder:
    """The passages of TEXTS; `copy` is the group of copy.md."""
    chunks = []
    for at, (document, heading, text) in enumerate(TEXTS):
        group = copy if document == "copy.md" else document
        row = ChunkRow(str(at), document, group, at, "", heading, text, 0, "en")
        chunks.append(row)
    return PassageFinder(chunks)


def found(text: str, document: str = "", heading: str = "") -> list[int]:
    return finder().candidates(BroughtPair("a:1", "q", document, heading, text))


def test_a_text_is_compared_by_its_words_alone() -> None:
    assert (
        plain("Boxes  *come*\nback, see [the tariff](t.md#d)") == "boxes come back see the tariff"
    )
    assert plain("ﬁne Ｂox") == "fine box"
    assert plain("東京") == "東 京"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("boxes come back within seven days see the tariff", [0]),
        ("Returns\nBoxes come back within seven days, see the tariff.", [0]),
        ("come back within\n**seven** days", [0]),
        ("see the tariff. Late boxes cost 40 a day", [1]),  # most of it
        ("Boxes come back within seven days, see the tariff. Late boxes cost 40 a day. "
         "Nobody waives it.", [0, 1]),
        ("# Returns\n\nBoxes come back within seven days, see the tariff.\n\n## Late\n\n"
         "Late boxes cost 40 a day. Nobody waives it.\n\n## Another\n\nUnknown.", [0, 1]),
        ("Fuel is charged monthly", [2, 3]),  # of one group
        ("コンテナは七日以内に", [4]),
    ],
)  # fmt: skip
def test_the_passages_that_a_text_means(text: str, places: list[int]) -> None:
    assert found(text) == places


def test_a_document_narrows_it_down() -> None:
    assert found("Fuel is charged monthly", "copy.md") == [3]
    assert found("", "returns.md") == [0, 1]
    assert found(TEXTS[1][2], "returns.md", "Returns > Late") == [1]
    with pytest.raises(Refused, match=r"'Late boxes cost 40' is not in fuel\.md"):
        found("Late boxes cost 40", "fuel.md")


@pytest.mark.parametrize(
    "text", ["ate boxes cost 40 a", "Boxes come back by rail", "monthly boxes"]
)
def test_words_that_no_passage_holds_in_a_row_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not in any document") as refused:
        found(text)
    assert refused.value.reason == "text not found"


def test_a_quote_does_not_reach_from_one_document_into_the_next() -> None:
    with pytest.raises(Refused, match="is not in any document"):
        found("Nobody waives it. Fuel is charged monthly")


def test_a_text_of_several_documents_is_refused() -> None:
    pair = BroughtPair("a:1", "q", text="Fuel is charged monthly")
    with pytest.raises(Refused, match="is in several documents; name one"):
        finder(copy="copy.md").candidates(pair)


def test_an_unknown_document_and_no_positive_at_all_are_refused() -> None:
    with pytest.raises(Refused, match=r"'gone\.md' is no document below data/raw"):
        found("Late boxes", "gone.md")
    with pytest.raises(Refused, match="neither a document nor a text"):
        found("")
