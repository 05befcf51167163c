"""The numbers of OpenDocument's lists and headings, which a file doesn't hold: they are counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argot.documents.formats.word_numbers import written

TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
KINDS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
NUMBERED = {f"{TEXT}list-level-style-number", f"{TEXT}outline-level-style"}
Levels = dict[int, Any]


class Numbers:
    """Counts lists and headings in the order of the text."""

    def __init__(self, trees: Sequence[Any]) -> None:
        styles = [style for tree in trees for style in tree.iter(f"{TEXT}list-style")]
        outlines = [style for tree in trees for style in tree.iter(f"{TEXT}outline-style")]
        self._styles = {style.get(f"{STYLE}name"): _levels(style) for style in styles}
        self._outline = _levels(outlines[0]) if outlines else {}
        self._headings: list[int] = []
        self._open: list[str] = []
        self._counts: list[int] = []
        # By style and depth: the last number of the list before, which another may continue.
        self._last: dict[tuple[str, int], int] = {}

    def heading(self, level: int) -> str:
        """The number of the next heading of a level; empty where headings have none."""
        above = [*self._headings[: level - 1], *[1] * (level - 1 - len(self._headings))]
        before = self._headings[level - 1] if len(self._headings) >= level else 0
        self._headings = [*above, before + 1]
        return _label(self._outline, self._headings)

    def enter(self, node: Any) -> None:
        """A list begins; within another it has the other's style unless it has one."""
        style = node.get(f"{TEXT}style-name") or (self._open[-1] if self._open else "")
        level = self._styles.get(style, {}).get(len(self._open) + 1)
        start = 1 if level is None else int(level.get(f"{TEXT}start-value", "1"))
        if node.get(f"{TEXT}continue-numbering") == "true" or node.get(f"{TEXT}continue-list"):
            start = self._last.get((style, len(self._open)), start - 1) + 1
        self._open.append(style)
        self._counts.append(start - 1)

    def item(self) -> str:
        """The number of the next item of the innermost list; empty for a bullet."""
        self._counts[-1] += 1
        return _label(self._styles.get(self._open[-1], {}), self._counts)

    def leave(self) -> None:
        """The innermost list ends."""
        style, count = self._open.pop(), self._counts.pop()
        self._last[style, len(self._open)] = count


def _levels(style: Any) -> Levels:
    return {int(level.get(f"{TEXT}level", "0")): level for level in style}


def _label(levels: Levels, counts: Sequence[int]) -> str:
    """The last of `counts`, after as many of those above it as its level shows: "2.1.", "(a)"."""
    level = levels.get(len(counts))
    if level is None or level.tag not in NUMBERED or not level.get(f"{STYLE}num-format"):
        return ""
    first = len(counts) - int(level.get(f"{TEXT}display-levels", "1"))
    shown = [
        written(count, KINDS.get(_format(levels, place), "decimal"))
        for place, count in enumerate(counts, start=1)
        if place > first
    ]
    around = level.get(f"{STYLE}num-prefix", ""), level.get(f"{STYLE}num-suffix", "")
    return f"{around[0]}{'.'.join(shown)}{around[1]}"


def _format(levels: Levels, place: int) -> str:
    return str(levels[place].get(f"{STYLE}num-format", "1")) if place in levels else "1"
