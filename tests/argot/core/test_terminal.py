from __future__ import annotations

import json

import pytest

from argot.core.terminal import escaped, printable


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]0;pwned\x07",  # sets the window's title
        "\x1b[2J",  # clears the screen
        "\x9b2J",  # the same in one character
        "all is well\rrm -rf",  # overwrites the line
        "a\x08\x08\x08b",
        "\x00",
        "\x7f",
        "\x85",
        "exe.\u202egpj",
        "\u2066x\u2069",
        "\ud800",
    ],
)
def test_nothing_that_a_terminal_executes_is_left(hostile: str) -> None:
    safe = printable(hostile)
    assert "�" in safe
    assert safe.encode()
    assert not set(safe) & {*map(chr, range(9)), "\r", "\x1b", "\x9b", "\x7f", "\u202e", "\u2066"}
    line = escaped(json.dumps(hostile, ensure_ascii=False))
    assert json.loads(line) == hostile
    assert printable(line) == line


@pytest.mark.parametrize(
    "text", ["a\n\tb", "10\u00a0000 €", "می\u200cخواهم", "日本\u3000語", "👩\u200d🔬"]
)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text
    assert escaped(text) == text
