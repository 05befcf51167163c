"""Notebooks become Markdown: what was written, without what a run printed."""

from __future__ import annotations

import json

import pytest

from argot.documents.formats.reader import parse


@pytest.mark.parametrize("old", [False, True])
def test_cells_of_both_formats_are_read_without_outputs(old: bool) -> None:
    code = {
        "cell_type": "code",
        "input" if old else "source": ["# x\n", "y = 1"],
        "outputs": [{"data": {"image/png": "aGk="}}],
    }
    cells = [{"cell_type": "markdown", "source": "# Dwell\n\nCounted.<!-- -->"}, code]
    book = {"worksheets": [{"cells": cells}]} if old else {"cells": cells, "metadata": {}}
    text = parse("a.ipynb", json.dumps(book).encode()).text
    assert text == "# Dwell\n\nCounted.<!-- -->\n\n```\n# x\ny = 1\n```"


def test_headings_of_format_3_and_a_title_are_kept() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Dwell"]},
        {"cell_type": "code", "source": ""},
    ]
    parsed = parse("a.ipynb", json.dumps({"cells": cells, "metadata": {"title": "Ports"}}).encode())
    assert (parsed.text, parsed.title) == ("## Dwell", "Ports")
