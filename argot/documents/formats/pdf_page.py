"""The words and rules of a PDF's page, as pdfium finds them.

Text in other directions is turned, so that all text runs from left to right.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

BOLD = re.compile(r"bold|black|heavy|demi|medi(?!o)|cmbx|sfbx|,b\b", re.IGNORECASE)
MONOSPACED = re.compile(r"mono|courier|consol|menlo|typewriter|cmtt|sftt", re.IGNORECASE)
HEAVY, STROKED = 600, 2
# Bullets of symbol fonts, and what pdfium writes for a hyphen at the end of a line.
SYMBOLS = dict.fromkeys((61607, 61623, 61656, 61692, 61558, 8226), "•")
SYMBOLS |= dict.fromkeys((2, 0xFFFE, 0xAD), "-")
FORM, PATH, IMAGE = 5, 2, 3
LINE, BEZIER = 0, 1
# Drawings of more strokes than this are pictures or maps, and no tables.
MOST_STROKES, DEEPEST = 5000, 8
# As shares of the letters' size: a gap that ends a word even where pdfium sees no space, the
# distance of two drawings of one bold letter, and how far a raised letter is above others.
GAP, TWICE, SHIFT = 0.9, 0.12, 0.1


class PageWord(NamedTuple):
    """Letters of one size side by side; y runs downwards, and all measures are points."""

    text: str
    x0: float
    x1: float
    y: float  # of the base line
    size: float
    bold: bool
    monospaced: bool
    number: int  # in the order of the file
    spaced: bool  # a space or a line's end is before it


class Stroke(NamedTuple):
    """A straight line that was drawn, level or upright."""

    x0: float
    y0: float
    x1: float
    y1: float


class View(NamedTuple):
    """What is written on a page in one direction."""

    words: list[PageWord]
    strokes: list[Stroke]
    top: float
    bottom: float
    left: float
    right: float
    main: bool  # most of the page is written so


class Letter(NamedTuple):
    """A letter as pdfium finds it; `box` is its left and its right edge."""

    text: str
    x: float
    y: float
    box: tuple[float, float]
    style: Style
    spaced: bool


class Style(NamedTuple):
    """How the letters look that a file draws at once."""

    size: float
    angle: int  # degrees
    bold: bool
    monospaced: bool
    source: int  # which text object


def views(page: Any) -> list[View]:
    """One view for each direction of writing, the one with most letters first."""
    directions: dict[int, list[Letter]] = {}
    for letter in _letters(page):
        directions.setdefault(letter.style.angle, []).append(letter)
    found = sorted(directions, key=lambda angle: (-len(directions[angle]), angle))
    left, bottom, right, top = page.get_cropbox()
    strokes = _strokes(page.raw) if found else []
    result: list[View] = []
    for angle in found:
        corners = [_turned(x, y, angle) for x in (left, right) for y in (bottom, top)]
        xs, ys = zip(*corners, strict=True)
        words = list(_words(_once(directions[angle]), angle))
        result.append(
            View(words, _level(strokes, angle), min(ys), max(ys), min(xs), max(xs), not result)
        )
    return result


def has_picture(page: Any) -> bool:
    """Whether a picture is on the page, as on each page of a scan."""
    return any(kind == IMAGE for kind, _, _ in _objects(page.raw, page=True))


def _turned(x: float, y: float, angle: int) -> tuple[float, float]:
    """A point where y runs downwards and text of `angle` from left to right."""
    if angle == 0:
        return x, -y
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    return x * cosine + y * sine, x * sine - y * cosine


def _letters(page: Any) -> Iterator[Letter]:
    """The letters in the file's order; pdfium has put right-to-left text into reading order."""
    from pypdfium2 import raw

    text_page = page.get_textpage()
    left, right, bottom, top, x, y = (ctypes.c_double() for _ in range(6))
    styles: dict[int, Style] = {}
    spaced = True
    for number in range(text_page.count_chars()):
        code = raw.FPDFText_GetUnicode(text_page, number)
        character = SYMBOLS.get(code) or chr(code)
        source = raw.FPDFText_GetTextObject(text_page, number)
        if character.isspace() or not source:
            spaced = True
            continue
        if not code:
            continue
        address = ctypes.addressof(source.contents)
        style = styles.get(address) or styles.setdefault(
            address, _style(text_page, number, source, address)
        )
        raw.FPDFText_GetCharBox(text_page, number, left, right, bottom, top)
        raw.FPDFText_GetCharOrigin(text_page, number, x, y)
        if style.angle:
            corners = [
                _turned(h.value, v.value, style.angle)[0]
                for h in (left, right)
                for v in (bottom, top)
            ]
            box = min(corners), max(corners)
        else:
            box = left.value, right.value
        yield Letter(character, *_turned(x.value, y.value, style.angle), box, style, spaced)
        spaced = False
    text_page.close()


def _style(text_page: Any, number: int, source: Any, address: int) -> Style:
    from pypdfium2 import raw

    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(text_page, number, matrix)
    name = ctypes.create_string_buffer(128)
    raw.FPDFText_GetFontInfo(text_page, number, name, 128, None)
    font = name.value.decode(errors="replace")
    size = raw.FPDFText_GetFontSize(text_page, number) * math.hypot(matrix.c, matrix.d)
    stroked = raw.FPDFTextObj_GetTextRenderMode(source) == STROKED
    bold = (
        stroked or bool(BOLD.search(font)) or raw.FPDFText_GetFontWeight(text_page, number) >= HEAVY
    )
    angle = round(math.degrees(math.atan2(matrix.b, matrix.a)) / 5) * 5 % 360
    return Style(round(size * 2) / 2, angle, bold, bool(MONOSPACED.search(font)), address)


def _once(letters: Sequence[Letter]) -> Iterator[Letter]:
    """The letters without second drawings, which make a letter look bold or give it a shadow."""
    seen: dict[tuple[str, int], list[Letter]] = {}
    previous = None
    for letter in letters:
        near = TWICE * letter.style.size
        row = round(letter.y / 4)
        others = [
            other for key in (row - 1, row, row + 1) for other in seen.get((letter.text, key), ())
        ]
        # Both letters of a ligature have the same place, and both count.
        ligature = (
            previous is not None
            and previous.style.source == letter.style.source
            and previous.x == letter.x
        )
        if ligature or not any(
            abs(other.x - letter.x) < near and abs(other.y - letter.y) < near for other in others
        ):
            seen.setdefault((letter.text, row), []).append(letter)
            yield letter
        previous = letter


def _words(letters: Iterator[Letter], angle: int) -> Iterator[PageWord]:
    group: list[Letter] = []
    number = 0
    for letter in letters:
        if group and (letter.spaced or _ends(group[-1], letter)):
            yield _word(group, number)
            number += 1
            group = []
        group.append(letter)
    if group:
        yield _word(group, number)


def _ends(before: Letter, letter: Letter) -> bool:
    size = max(before.style.size, letter.style.size)
    gap = max(letter.box[0] - before.box[1], before.box[0] - letter.box[1])
    # A combining mark is drawn over the letter before it.
    if unicodedata.combining(letter.text):
        return False
    resized = min(before.style.size, letter.style.size) < 0.85 * size
    return gap > GAP * size or abs(letter.y - before.y) > SHIFT * size or resized


def _word(group: Sequence[Letter], number: int) -> PageWord:
    first = group[0]
    bold = sum(letter.style.bold for letter in group) * 2 > len(group)
    return PageWord(
        "".join(letter.text for letter in group),
        min(letter.box[0] for letter in group),
        max(letter.box[1] for letter in group),
        first.y,
        first.style.size,
        bold,
        all(letter.style.monospaced for letter in group),
        number,
        first.spaced,
    )


def _objects(holder: Any, page: bool, depth: int = 0) -> Iterator[tuple[int, Any, list[Any]]]:
    """All that is drawn: kind, object and the matrices of the forms around it, innermost first."""
    from pypdfium2 import raw

    count = raw.FPDFPage_CountObjects if page else raw.FPDFFormObj_CountObjects
    get = raw.FPDFPage_GetObject if page else raw.FPDFFormObj_GetObject
    for number in range(count(holder)):
        drawn = get(holder, number)
        kind = raw.FPDFPageObj_GetType(drawn)
        yield kind, drawn, []
        if kind == FORM and depth < DEEPEST:
            matrix = raw.FS_MATRIX()
            raw.FPDFPageObj_GetMatrix(drawn, matrix)
            for inner, child, matrices in _objects(drawn, page=False, depth=depth + 1):
                yield inner, child, [*matrices, matrix]


def _strokes(page: Any) -> list[Stroke]:
    """The straight lines in the page's own coordinates; none where too many for a table."""
    strokes: list[Stroke] = []
    for kind, drawn, matrices in _objects(page, page=True):
        if kind == PATH:
            strokes += _path(drawn, matrices)
        if len(strokes) > MOST_STROKES:
            return []
    return strokes


def _path(path: Any, matrices: Sequence[Any]) -> Iterator[Stroke]:
    from pypdfium2 import raw

    own = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(path, own)
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = (0.0, 0.0)
    for number in range(raw.FPDFPath_CountSegments(path)):
        segment = raw.FPDFPath_GetPathSegment(path, number)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = x.value, y.value
        for matrix in (own, *matrices):
            across, up = point
            point = (
                matrix.a * across + matrix.c * up + matrix.e,
                matrix.b * across + matrix.d * up + matrix.f,
            )
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == LINE:
            yield Stroke(*last, *point)
        elif kind != BEZIER:
            start = point
        if raw.FPDFPathSegment_GetClose(segment):
            yield Stroke(*point, *start)
        last = point


def _level(strokes: Sequence[Stroke], angle: int) -> list[Stroke]:
    """The level and upright strokes of the turned page, from left to right and top to bottom."""
    turned = []
    for stroke in strokes:
        x0, y0 = _turned(stroke.x0, stroke.y0, angle)
        x1, y1 = _turned(stroke.x1, stroke.y1, angle)
        if (abs(x0 - x1) < 1) != (abs(y0 - y1) < 1):
            turned.append(Stroke(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    return turned
