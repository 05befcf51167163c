"""Plain text: lines that look like headings become headings, comments of programs do not."""

from __future__ import annotations

import pytest

from argot.documents.formats.reader import parse

SCRIPT = (
    "# the yard's cameras\nadd(cameras)\n\n# Lamps of the gate\n# and of the quay\n\nadd(lamps)"
)
MARKED = "# Cameras\nThey see the yard.\n\n## Lamps\nThey light the gate."
FENCED = "# Cameras\n\n```\n# stop them\nstop\n```"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (SCRIPT, SCRIPT.replace("# ", "\\# ")),
        ("# LAMPS\nadd(lamps)", "\\# LAMPS\nadd(lamps)"),
        (MARKED, MARKED),
        (FENCED, FENCED),
        ("# Cameras\n\nThey see the yard.", "# Cameras\n\nThey see the yard."),
    ],
)
def test_lines_with_number_signs_are_headings_where_the_text_is_markdown(
    text: str, read: str
) -> None:
    assert parse("CMakeLists.txt", text.encode()).text == read
