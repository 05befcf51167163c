"""No reader of text fails or takes long, whatever it is given."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argot.documents.formats import UnreadableError
from argot.documents.formats.reader import parse

PIECES = [
    "::\n", ".. x::\n", ".. |a| replace:: b\n", " ", "\n", "|", "| a ", "====\n", "====  ====\n", "+---+\n", "`", "``", "<",
    ">", "[", "[[", "]", "{a}", "<<", "* ", "#+BEGIN_SRC\n", ":PROPERTIES:\n", "----\n", "|===\n", ":a: b\n", "*", "=",
    '"', "a,", "a;", "{", "}", "\\", "a", "<table>", "<td>", "<sup>1</sup>", "<li>", "class A:\n", "def f(\n", "中\n",
]  # fmt: skip
SIZE, SECONDS = 10_000, 4.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["a.rst", "a.adoc", "a.org", "a.csv", "a.txt", "a.md", "a.html", "a.py", "a.ts", "a.rtf"],
)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(unit=st.lists(st.sampled_from(PIECES), min_size=1, max_size=3))
def test_odd_text_is_read_in_time(name: str, unit: list[str]) -> None:
    piece = "".join(unit)
    text = piece * (SIZE // len(piece)) + "b"
    data = f"{{\\rtf1 {text}}}" if name == "a.rtf" else text
    start = time.process_time()
    try:
        parse(name, data.encode())
    except UnreadableError as error:
        assert str(error) in ("holds no text", "nested too deeply"), piece
    assert time.process_time() - start < SECONDS
