"""What passages hold, and where they are cut."""

from __future__ import annotations

import pytest

from argot.spans import Text
from argot.words import count_words
from stages.chunk import Chunk, ChunkSettings, cut, name

GUIDE = """# Returns

Goods may be sent back within 30 days.

## Damaged goods

- Take a photo of the crate.
- Write the claim number on it.

## Refunds

### By card

Money is back in 5 working days. Weekends don't count! Ask the cashier when it takes longer.
"""


def passages(text: str, title: str = "", max_words: int = 128, overlap: int = 0, minimum: int = 1) -> list[Chunk]:
    return cut(Text(text, "en"), title, ChunkSettings(max_words=max_words, overlap_words=overlap, min_words=minimum))[0]


def texts(text: str, **limits: int) -> list[str]:
    return [text[chunk.span.start : chunk.span.end] for chunk in passages(text, **limits)]


def test_headings_become_paths_below_the_title() -> None:
    paths = [" > ".join(chunk.path) for chunk in passages(GUIDE, title="Handbook")]
    assert paths == [
        "Handbook > Returns",
        "Handbook > Returns > Damaged goods",
        "Handbook > Returns > Refunds > By card",
    ]


def test_a_title_that_is_the_first_heading_stands_once() -> None:
    assert passages(GUIDE, title="Returns")[0].path == ("Returns",)


@pytest.mark.parametrize("max_words", [8, 12, 20, 128])
@pytest.mark.parametrize("overlap", [0, 3])
def test_every_passage_is_a_run_of_its_document_within_the_limit(max_words: int, overlap: int) -> None:
    for text in texts(GUIDE, max_words=max_words, overlap=overlap):
        assert text == text.strip() != ""
        assert count_words(text) <= max_words


def test_ids_differ_for_repeated_passages_and_stay_for_the_same() -> None:
    text = "# A\n\nsame words\n\n# A\n\nsame words\n"
    document = dict.fromkeys(("document", "group", "title", "language", "metadata"), "x") | {"text": text}
    first, second = (list(name(document, passages(text))) for _ in range(2))
    assert first == second
    assert len({row["chunk"] for row in first}) == len(first) == 2
