"""The numbers of Word's headings, clauses and lists: a file holds rules, and the reader counts."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from argot.documents.formats.office import NAMES, named

PLACE = re.compile(r"%(\d)")
ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
    (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
MOST = 4000


class Level(NamedTuple):
    """How one level of a list counts."""

    start: int
    kind: str  # decimal, lowerLetter, ...; bullet
    text: str  # such as %1.%2
    legal: bool  # all numbers as decimals


class Numbering:
    """Counts the paragraphs of a document by its lists (ECMA-376, 17.9)."""

    def __init__(self, root: Any | None) -> None:
        self._levels: dict[str, dict[int, Level]] = {}  # by the number of a list
        self._shared: dict[str, str] = {}  # lists that count together
        self._counts: dict[str, dict[int, int]] = {}
        self._places: dict[tuple[str, str], int] = {}  # level of a style in a list
        if root is None:
            return
        abstract = {
            _value(element, "w:abstractNumId"): element
            for element in root.findall(named("w:abstractNum"))
        }
        for element in root.findall(named("w:num")):
            number = _value(element, "w:numId")
            base = element.find(named("w:abstractNumId"))
            key = _value(base, "w:val") if base is not None else ""
            entries = abstract[key].findall(named("w:lvl")) if key in abstract else []
            levels = {_place(level): _level(level) for level in entries}
            overridden = False
            for override in element.findall(named("w:lvlOverride")):
                place = _place(override)
                start = override.find(named("w:startOverride"))
                level = override.find(named("w:lvl"))
                if level is not None:
                    levels[place] = _level(level)
                if start is not None and place in levels:
                    levels[place] = levels[place]._replace(start=int(_value(start, "w:val")))
                overridden |= start is not None
            for level in entries:
                for style in level.xpath("w:pStyle/@w:val", namespaces=NAMES):
                    self._places[number, style] = _place(level)
            self._levels[number] = levels
            self._shared[number] = number if overridden else f"abstract {key}"

    def place(self, number: str, style: str) -> int:
        """The level of a list that paragraphs of a style are on."""
        return self._places.get((number, style), 0)

    def next(self, number: str, place: int) -> str | None:
        """The number of a list's next paragraph as text; None for a bullet or an unknown list."""
        levels = self._levels.get(number, {})
        level = levels.get(place)
        if level is None:
            return None
        counts = self._counts.setdefault(self._shared[number], {})
        counts[place] = counts.get(place, level.start - 1) + 1
        for deeper in [other for other in counts if other > place]:
            del counts[deeper]
        if level.kind == "bullet":
            return None
        for above in range(place):
            counts.setdefault(above, levels[above].start if above in levels else 1)

        def shown(match: re.Match[str]) -> str:
            other = int(match[1]) - 1
            kind = "decimal" if level.legal or other not in levels else levels[other].kind
            return written(counts.get(other, 1), kind)

        return PLACE.sub(shown, level.text) if level.kind != "none" else ""


def _value(element: Any, name: str) -> str:
    return element.get(named(name)) or ""


def _place(element: Any) -> int:
    return int(_value(element, "w:ilvl") or 0)


def _level(element: Any) -> Level:
    def value(name: str, default: str) -> str:
        found = element.xpath(f"{name}/@w:val", namespaces=NAMES)
        return found[0] if found else default

    legal = element.find(named("w:isLgl")) is not None
    return Level(
        int(value("w:start", "1")), value("w:numFmt", "decimal"), value("w:lvlText", ""), legal
    )


def written(count: int, kind: str) -> str:
    """A number as Word's kinds of numbering write it: 3, c, C, iii, III or 03."""
    if kind in ("lowerLetter", "upperLetter") and count > 0:
        # After z comes aa, and then bb.
        letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letters if kind == "lowerLetter" else letters.upper()
    if kind in ("lowerRoman", "upperRoman") and 0 < count < MOST:
        text = ""
        for value, letters in ROMAN:
            text += letters * (count // value)
            count %= value
        return text if kind == "lowerRoman" else text.upper()
    return f"{count:02}" if kind == "decimalZero" else str(count)
