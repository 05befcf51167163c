"""The words of a PDF's page in reading order: columns one after the other, tables row by row."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from argot.documents.formats.pdf_page import PageWord, View
from argot.documents.formats.pdf_tables import Ruled, merge, ruled

MARKER = re.compile(r"[•‣◦▪●■○□–-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)]")
# As shares of the letters' size: the gap between columns, the gap between words, and how far up or
# down the letters of one line may be. Words cover each other that overlap by more than COVERED.
COLUMN_GAP, WORD_GAP, SAME_LINE = 0.9, 0.15, 0.45
COVERED = 0.5
# At least this many lines side by side make columns.
FEWEST = 3
# A column is prose if its median line is at least this many letters wide and this share full.
PROSE_WIDTH, PROSE_FILL = 12, 0.75
MARGIN = 0.09
# Units that are squared or cubed, as m².
UNIT, POWERS = re.compile(r"(?<![^\W\d_])[^\W\d_]{1,2}$"), {"2": "²", "3": "³"}


class Line(NamedTuple):
    """A line of a column."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    code: bool
    edge: bool  # at the page's upper or lower edge
    first: float  # width of its first word
    main: bool  # runs the way that most of the page does


class Segment(NamedTuple):
    """Words side by side without a gap as wide as that between columns, or a table with rules."""

    words: list[PageWord]
    x0: float
    x1: float
    y: float
    table: Ruled | None = None


Row = list[Segment]
Table = list[list[str]]


def layout(view: View, code: bool) -> Iterator[list[Line] | Table]:
    """The page's columns, each a list of lines, and tables, each a list of rows of text.

    Where `code` is false, monospaced letters are no sign of code.
    """
    if not code:
        view = view._replace(words=[word._replace(monospaced=False) for word in view.words])
    tables = ruled(view)
    inside = {word for table in tables for words in table.words for word in words}
    rest = [word for word in view.words if word not in inside]
    em = median([word.size for word in view.words])
    rows = [[*_segments(row)] for row in lines_of(rest)]
    rows += [[Segment([], table.x0, table.x1, table.top, table)] for table in tables]
    rows.sort(key=lambda row: row[0].y)
    yield from _ordered(rows, em, view)


def lines_of(words: Iterable[PageWord]) -> list[list[PageWord]]:
    """The words by lines from top to bottom; raised and lowered letters belong to their line."""
    lines: list[list[PageWord]] = []
    base, size = 0.0, 0.0
    for word in sorted(words, key=lambda word: (word.y, word.x0)):
        if lines and abs(word.y - base) < SAME_LINE * max(size, word.size):
            lines[-1].append(word)
        else:
            lines.append([word])
            size = 0.0
        if word.size > size:
            base, size = word.y, word.size
    return lines


def joined(words: Sequence[PageWord]) -> str:
    """The text of words of one line; raised digits after a letter or digit get a ^ before them."""
    letters = Counter(unicodedata.bidirectional(letter) for word in words for letter in word.text)
    right_to_left = letters["R"] + letters["AL"] > letters["L"]
    # pdfium has put the words of a line from right to left in order already. Words drawn over
    # others, as what was filled into a form may be, are kept together by the file's order too.
    ordered = sorted(words, key=lambda word: word.x0)
    if right_to_left or any(_covers(*pair) for pair in pairwise(ordered)):
        ordered.sort(key=lambda word: word.number)
    text = ""
    for number, word in enumerate(ordered):
        between = _between(ordered[number - 1], word) if number else ""
        if between == "^" and word.text in POWERS and UNIT.search(text):
            text += POWERS[word.text]
        else:
            text += between + word.text
    return text


def _covers(before: PageWord, word: PageWord) -> bool:
    """Whether two words are drawn over each other, by more than letters that lean may be."""
    overlap = min(before.x1, word.x1) - max(before.x0, word.x0)
    return overlap > COVERED * max(before.size, word.size) and word.number != before.number + 1


def _between(before: PageWord, word: PageWord) -> str:
    """What is written between two words of a line: a space, nothing, or ^ before a superscript."""
    size = max(before.size, word.size)
    gap = max(word.x0 - before.x1, before.x0 - word.x1)
    raised, lowered = before.y - word.y > 0.2 * size, word.y - before.y > 0.2 * size
    close = gap < WORD_GAP * size
    if (
        raised
        and word.size <= before.size
        and close
        and word.text[0].isdigit()
        and before.text[-1].isalnum()
    ):
        return "^"
    if lowered and before.size < word.size and before.text[-1].isdigit() and word.text[0].isalnum():
        return " "
    follows = word.number == before.number + 1
    apart = (follows and word.spaced) or _covers(before, word)
    return "" if close and not apart else " "


def _segments(line: Sequence[PageWord]) -> Iterator[Segment]:
    ordered = sorted(line, key=lambda word: word.x0)
    group = [ordered[0]]
    for word in ordered[1:]:
        last = group[-1]
        size = max(word.size, last.size)
        listed = len(group) == 1 and MARKER.fullmatch(last.text)
        code = last.monospaced and word.monospaced
        if (
            word.x0 - max(other.x1 for other in group[-3:]) > COLUMN_GAP * size
            and not listed
            and not code
        ):
            yield _segment(group)
            group = []
        group.append(word)
    yield _segment(group)


def _segment(words: list[PageWord]) -> Segment:
    return Segment(
        words, words[0].x0, max(word.x1 for word in words), max(words, key=lambda word: word.size).y
    )


def _ordered(rows: list[Row], em: float, view: View) -> Iterator[list[Line] | Table]:
    found = _gutter(rows, em)
    if found is None:
        yield from _column(rows, view)
        return
    start, end, gutter = found
    table = _table(rows[start:end], em)
    if table:
        first, last, cells = table
        yield from _ordered(rows[: start + first], em, view)
        yield cells
        yield from _ordered(rows[start + last :], em, view)
        return
    yield from _ordered(rows[:start], em, view)
    left = [[segment for segment in row if segment.x1 <= gutter] for row in rows[start:end]]
    right = [[segment for segment in row if segment.x1 > gutter] for row in rows[start:end]]
    yield from _ordered([row for row in left if row], em, view)
    yield from _ordered([row for row in right if row], em, view)
    yield from _ordered(rows[end:], em, view)


def _gutter(rows: Sequence[Row], em: float) -> tuple[int, int, float] | None:
    """The longest run of rows with a gap at one place: first row, last + 1, the gap's left edge."""
    best = None
    most = FEWEST - 1
    for edge in sorted({segment.x1 for row in rows for segment in row}):
        start = left = right = 0
        for number, row in enumerate([*rows, None]):
            if row is not None and not any(
                segment.x0 < edge + em and segment.x1 > edge for segment in row
            ):
                left += any(segment.x1 <= edge for segment in row)
                right += any(segment.x1 > edge for segment in row)
                continue
            if min(left, right) > most:
                most = min(left, right)
                best = start, number, edge
            start, left, right = number + 1, 0, 0
    return best


def _table(rows: Sequence[Row], em: float) -> tuple[int, int, Table] | None:
    """A table without rules: first row, last + 1, cells; None where rows are columns of prose."""
    starts = _columns(rows, em)
    places = [[_place(segment, starts) for segment in row] for row in rows]
    filled = [number for number, place in enumerate(places) if len(set(place)) > 1]
    labelled = sum(0 in place for place in places)
    if len(filled) < FEWEST or any(segment.table for row in rows for segment in row):
        return None
    if sum(0 in places[number] for number in filled) < 0.7 * labelled:
        return None
    first = [
        segment
        for row, place in zip(rows, places, strict=True)
        for segment in row
        if _place(segment, starts) == 0
    ]
    if _prose(first, em):
        return None
    start, end = filled[0], filled[-1] + 1
    while end < len(rows) and 0 not in places[end]:
        end += 1
    cells: list[tuple[float, list[list[PageWord]]]] = []
    for row, place in zip(rows[start:end], places[start:end], strict=True):
        line: list[list[PageWord]] = [[] for _ in starts]
        for segment, number in zip(row, place, strict=True):
            line[number] += segment.words
        cells.append((row[0].y, line))
    return start, end, merge([(y, [joined(words) for words in line]) for y, line in cells])


def _columns(rows: Sequence[Row], em: float) -> list[float]:
    """Where the columns of rows begin: after each gap that at most a tenth of the rows cross."""
    ends = sorted(
        [(segment.x0, 1) for row in rows for segment in row]
        + [(segment.x1, -1) for row in rows for segment in row]
    )
    few = len(rows) // 10
    starts, covered, free = [ends[0][0]], 0, None
    for x, change in ends:
        if change > 0 and covered == few and free is not None and x - free >= COLUMN_GAP * em:
            starts.append(x)
        covered += change
        if covered <= few and change < 0:
            free = x if free is None else free
        elif covered > few:
            free = None
    return starts


def _place(segment: Segment, starts: Sequence[float]) -> int:
    return max(
        number for number, start in enumerate(starts) if start <= segment.x0 + 1 or number == 0
    )


def _prose(segments: Sequence[Segment], em: float) -> bool:
    widths = [segment.x1 - segment.x0 for segment in segments]
    full = max(segment.x1 for segment in segments) - min(segment.x0 for segment in segments)
    return median(widths) >= max(PROSE_WIDTH * em, PROSE_FILL * full)


def _column(rows: Sequence[Row], view: View) -> Iterator[list[Line] | Table]:
    lines: list[Line] = []
    for row in rows:
        table = row[0].table
        if table is None:
            lines.append(_line([word for segment in row for word in segment.words], view))
            continue
        if lines:
            yield lines
        lines = []
        yield [
            [cell_text(table.words[cell]) if cell >= 0 else "" for cell in cells]
            for cells in table.rows
        ]
    if lines:
        yield lines


def cell_text(words: Sequence[PageWord]) -> str:
    """The text of a cell of one or more lines."""
    return " ".join(joined(line) for line in lines_of(words))


def _line(words: Sequence[PageWord], view: View) -> Line:
    sizes: Counter[float] = Counter()
    for word in words:
        sizes[word.size] += len(word.text)
    size = min(sizes, key=lambda size: (-sizes[size], size))
    letters = sum(sizes.values())
    bold = sum(len(word.text) for word in words if word.bold) * 10 > letters * 9
    y = max(words, key=lambda word: word.size).y
    first = min(words, key=lambda word: word.x0)
    middle = (y - 0.3 * size - view.top) / ((view.bottom - view.top) or 1)
    return Line(
        joined(words),
        first.x0,
        max(word.x1 for word in words),
        y,
        size,
        bold,
        all(word.monospaced for word in words),
        not MARGIN < middle < 1 - MARGIN,
        first.x1 - first.x0,
        view.main,
    )
