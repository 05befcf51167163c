"""The blocks of Markdown."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argot.documents.formats.markup import read_markdown
from argot.documents.markdown import LONGEST_HEADING, blocks, plain
from argot.documents.spans import Text
from argot.queries.prose import sentences
from stages.chunk import ChunkSettings, cut

LIMITS = ChunkSettings(max_words=64, overlap_words=0, min_words=5)
SIZE, SECONDS = 20_000, 3.0
# Runs of these were quadratic or worse in one pattern or another.
PIECES = [
    " ", "\n", "\t", "#", "# ", "a", "|", "-", "=", "[", "](", "(", ")", "`", "```\n", "~~~\n", "<!--", "<pre>\n", "- ",
    "1. ", ".", '"', "*", "_", "\\", ":", "---\n", "| --- ", "a b ", "\n\n", "#" + " " * 50, "\u200b", "中", ">",
]  # fmt: skip


def kinds(text: str) -> list[str]:
    return [block.kind for block in blocks(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!--\n# Old\n\ntext\n-->\n\nNew.", ["comment", "paragraph"]),
        ("<!-- a --> New.", ["paragraph"]),
        ("<pre>\n# restart\n\nlanectl\n</pre>\nText", ["code", "paragraph"]),
        ("Text\n<script>\n# x\n</script>\n# A", ["paragraph", "code", "heading"]),
        ("<pre>\n# never closed", ["code"]),
        ("# A #\n## B##\n#C", ["heading", "heading", "paragraph"]),
        ("# " + "a " * LONGEST_HEADING, ["paragraph"]),
        ("a " * LONGEST_HEADING + "\n===", ["paragraph"]),
        ("| a | b |\n|:--|--:|\n| 1 | 2 |", ["table"]),
        ("a | b\n--- | ---\n1 | 2", ["table"]),
        ("a\n---", ["heading"]),
    ],
)
def test_kinds_of_blocks(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("**Fees** of `def f(*a, **k)`", "Fees of def f(*a, **k)"),
        ("[Fees](https://x.example/a_(b)) of *2026*", "Fees of 2026"),
        (r"\# restart", "# restart"),
        ("[**bold** link](x) `a", "bold link a"),
        ("a [b] (c)", "a [b] (c)"),
    ],
)
def test_headings_lose_their_marks_but_not_their_code(line: str, expected: str) -> None:
    assert plain(line) == expected


def test_the_marks_at_the_end_of_a_heading_are_no_words() -> None:
    assert [block.title for block in blocks("# A #\n\n## B##\n\n### C# ##\n\n#")] == [
        "A",
        "B##",
        "C#",
        "",
    ]


def test_comments_between_blocks_are_not_read_and_those_in_code_are() -> None:
    text = "# A\n\n<!--\n# Old\n-->\n\nNew. <!-- kept -->\n\n```\n<!-- code -->\n```\n"
    assert (
        read_markdown(text.encode()).text
        == "# A\n\n\n\nNew. <!-- kept -->\n\n```\n<!-- code -->\n```\n"
    )


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    head=st.sampled_from(["", "# a", "a. ", "- ", "| a |\n", "---\n"]),
    unit=st.lists(st.sampled_from(PIECES), min_size=1, max_size=3),
)
def test_no_text_takes_more_than_linear_time(head: str, unit: list[str]) -> None:
    piece = "".join(unit)
    text = head + piece * (SIZE // len(piece)) + "b"
    start = time.process_time()
    list(blocks(text))
    list(sentences(text, "en"))
    read_markdown(text.encode())
    cut(Text(text, "en"), "title", LIMITS)
    assert time.process_time() - start < SECONDS
