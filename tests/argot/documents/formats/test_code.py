"""Code is read by its definitions."""

from __future__ import annotations

from itertools import pairwise

import pytest

from argot.documents.formats.code import LANGUAGES
from argot.documents.formats.reader import READERS, parse
from argot.documents.markdown import blocks

PYTHON = b'''"""Fees of berths."""
import math

class Berth(Place):
    """A place for a ship."""

    @property
    def fee(self, *, days: int) -> float:  # euro
        def inner(): ...
        return days * 4.5

# Rounded up.
def total(*fees: float) -> int:
    return math.ceil(sum(fees))

print(total())
'''
SOURCES = {
    "a.js": "/** Adds. */\nexport const add = async (a, b) => { return a + b };\nclass Q { run() { } }",
    "a.ts": "export class Fee<T> { count(days: number): number { return 1; } }\ninterface Port { name: string }",
    "a.tsx": "export function View(props: P) { return <b>{props.x}</b>; }",
    "A.java": "class H<T> { /** Doc. */ @Override public int fee(int days) throws X { return 1; } }",
    "a.go": "package p\n// Lift lifts.\nfunc (c *Crane) Lift(n int) error { return nil }",
    "a.rs": "/// A berth.\n#[derive(Debug)]\npub struct Berth { n: u32 }\nimpl Berth { pub fn open(&self) -> bool { true } }",
    "a.cs": "namespace P { public class Q { public void Run(int a) { } } }",
    "a.cpp": "template <typename T>\nclass Crane { int lift(int a) { return a; } };",
    "a.rb": "class Crane < Base\n  def lift(load)\n    load\n  end\nend",
    "a.php": "<?php\nclass B extends C { public function go(int $a): int { return $a; } }",
}
TITLES = {
    "a.js": ["const add = async (a, b)", "class Q", "run()"],
    "a.ts": ["class Fee<T>", "count(days: number): number", "interface Port"],
    "a.tsx": ["function View(props: P)"],
    "A.java": ["class H<T>", "@Override public int fee(int days) throws X"],
    "a.go": ["func (c *Crane) Lift(n int) error"],
    "a.rs": ["pub struct Berth", "impl Berth", "pub fn open(&self) -> bool"],
    "a.cs": ["public class Q", "public void Run(int a)"],
    "a.cpp": ["class Crane", "int lift(int a)"],
    "a.rb": ["class Crane < Base", "def lift(load)"],
    "a.php": ["class B extends C", "public function go(int $a): int"],
}


def titles(text: str) -> list[tuple[int, str]]:
    return [(block.level, block.title) for block in blocks(text) if block.kind == "heading"]


def test_a_definition_is_a_section_under_its_signature() -> None:
    text = parse("fees.py", PYTHON).text
    assert titles(text) == [
        (1, "class Berth(Place)"),
        (2, "def fee(self, *, days: int) -> float"),
        (1, "def total(*fees: float) -> int"),
    ]
    assert text.startswith('```\n"""Fees of berths."""\nimport math\nprint(total())\n```')
    assert "```\n@property\ndef fee(" in text and "    def inner(): ..." in text
    assert "```\n# Rounded up.\ndef total" in text


@pytest.mark.parametrize("name", SOURCES)
def test_signatures_of_every_language(name: str) -> None:
    assert [title for _, title in titles(parse(name, SOURCES[name].encode()).text)] == TITLES[name]


@pytest.mark.parametrize("name", [*SOURCES, "fees.py"])
def test_no_word_of_code_is_lost(name: str) -> None:
    source = PYTHON.decode() if name == "fees.py" else SOURCES[name]
    text = parse(name, source.encode()).text
    assert set("".join(c if c.isalnum() else " " for c in source).split()) <= set(
        "".join(c if c.isalnum() else " " for c in text).split()
    )


def test_broken_code_is_read_all_the_same() -> None:
    text = parse("broken.py", b"def good(a):\n    return a\n\ndef bad(:\n  ((\n").text
    assert "def good(a)" in text and "bad" in text


def test_code_without_definitions_and_settings_are_one_block() -> None:
    assert parse("run.py", b"# no heading\nx = 1\n").text == "```\n# no heading\nx = 1\n```"
    assert parse("a.yaml", b"# no heading\nx: 1\n").text == "```\n# no heading\nx: 1\n```"


def test_every_language_has_a_reader_and_endings_of_its_own() -> None:
    endings = sorted(" ".join(LANGUAGES.values()).split())
    assert LANGUAGES.keys() <= READERS.keys() and all(
        one != other for one, other in pairwise(endings)
    )
