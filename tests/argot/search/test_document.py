from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from argot import Retriever
from argot.errors import InputError
from argot.search.document import Document, address, pieces
from tests.support.rights import SEEN


@pytest.mark.parametrize(
    ("metadata", "base", "expected"),
    [
        ({}, "", ""),
        ({}, "https://wiki.example.com/kb/", "https://wiki.example.com/kb/a%20b/c.md"),
        ({"url": "https://example.com/c"}, "", "https://example.com/c"),
        ({"url": "https://example.com/c"}, "https://wiki.example.com", "https://example.com/c"),
        ({"url": "javascript:alert(1)"}, "", ""),
        ({"url": "JavaScript://example.com/%0aalert(1)"}, "", ""),
        ({"url": "data:text/html,x"}, "https://w.example", "https://w.example/a%20b/c.md"),
        ({"url": "https://[broken"}, "", ""),
        ({"url": "https://example.com/\nc"}, "", ""),
        ({"url": "/relative"}, "", ""),
        ({"url": ["https://example.com"]}, "", ""),
    ],
)
def test_an_address_is_the_documents_own_or_below_the_base(
    metadata: dict[str, Any], base: str, expected: str
) -> None:
    assert address("a b/c.md", metadata, base) == expected


@pytest.mark.parametrize(
    ("name", "metadata", "page", "expected"),
    [
        ("a.pdf", {}, 3, "https://w.example/a.pdf#page=3"),
        (
            "A.PDF",
            {"url": "https://example.com/get?id=1"},
            3,
            "https://example.com/get?id=1#page=3",
        ),
        ("a.pdf", {"url": "https://example.com/a#terms"}, 3, "https://example.com/a#terms"),
        ("a.pdf", {}, None, "https://w.example/a.pdf"),
        ("no-suffix", {}, 3, "https://w.example/no-suffix"),
    ],
)
def test_the_address_of_a_pdf_opens_at_the_page(
    name: str, metadata: dict[str, Any], page: int | None, expected: str
) -> None:
    assert address(name, metadata, "https://w.example", page) == expected


def document(text: str, *spans: tuple[str, int, int, str]) -> Document:
    rows = [
        {"chunk": str(at), "heading": heading, "text": f"{before}{text[start:end]}"}
        | {"document": "d.md", "start": start, "end": end, "page": None}
        for at, (heading, start, end, before) in enumerate(spans)
    ]
    return Document("d.md", "D", "", {}, list(pieces(rows)))


def test_pieces_make_the_text_again() -> None:
    text = "# D\n\nOne two. Three.\n\n## E\n\nFour five six."
    whole = document(text, ("D", 5, 13, ""), ("D", 14, 20, ""), ("D > E", 28, 42, ""))
    assert whole.text == "# D\n\nOne two.\nThree.\n\n## E\n\nFour five six."


def test_what_passages_repeat_stands_once() -> None:
    text = "one two three four five six"
    assert (
        document(text, ("", 0, 13, ""), ("", 8, 18, ""), ("", 4, 18, ""), ("", 14, 27, "")).text
        == text
    )
    table = "| a |\n| - |\n| 1 |\n| 2 |"
    assert document(table, ("", 0, 17, ""), ("", 18, 23, "| a |\n| - |\n")).text == table


def test_a_document_is_found_by_its_name_and_by_its_passages(release: Path) -> None:
    retriever = Retriever.load(release, device="cpu")
    whole = retriever.document("pumps/noise.md")
    assert whole is not None and whole == retriever.document("pumps/noise.md#1")
    assert [piece.id for piece in whole.pieces] == ["pumps/noise.md#0", "pumps/noise.md#1"]
    assert whole.metadata["year"] == 2026
    assert whole.text.startswith("# Pumps\n\n## Noise\n\nA rattling pump")
    assert whole.text.endswith("Error E-17 means the rotor is stuck.")
    assert [piece.id for piece in whole.around("pumps/noise.md#1", 1)] == [
        "pumps/noise.md#0",
        "pumps/noise.md#1",
    ]
    assert not whole.around("pay.md#0", 1)
    assert retriever.document("missing.md") is None


def test_a_document_is_only_for_its_groups(restricted: Path) -> None:
    retriever = Retriever.load(restricted, device="cpu")
    for group, seen in SEEN.items():
        for name in ("pumps/seals.md", "pumps/noise.md", "returns.md", "pay.md"):
            for id in (name, f"{name}#0"):
                assert (retriever.document(id, {group}) is not None) == (name in seen)
    with pytest.raises(InputError, match="access rights"):
        retriever.document("returns.md")
