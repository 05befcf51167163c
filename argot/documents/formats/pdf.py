"""PDF becomes Markdown: headings by the size and weight of their letters, tables by their ruled lines."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.text import clean, table

BULLET = re.compile(r"\s*[•‣◦▪●■–](?:\s+|$)")
NUMBER = re.compile(r"\d+")
# What pdfminer writes for letters that a font doesn't name; the 127th is the bullet of Windows' encoding.
UNNAMED_BULLET, UNNAMED = "(cid:127)", re.compile(r"\(cid:\d+\)")
# Letters this much larger than the body's are a heading's.
LARGER = 1.15
MARGIN, LONGEST = 0.09, 14
# A box at least this wide, in shares of its page, may be part of a column.
COLUMN = 0.2


class Line(NamedTuple):
    """A line of a page."""

    text: str
    height: float  # of its letters
    bold: bool
    edge: bool  # stands at the page's upper or lower edge
    opens: bool  # begins a block of lines


def read_pdf(data: bytes) -> Parsed:
    """The pages' text in reading order; running heads, page numbers and pictures are left out."""
    import pdfplumber
    from pdfminer.pdfdocument import (
        PDFEncryptionError,
        PDFPasswordIncorrect,
        PDFTextExtractionNotAllowed,
    )
    from pdfplumber.utils.exceptions import PdfminerException

    try:
        with pdfplumber.open(io.BytesIO(data), laparams={}) as pdf:
            pages = [_lines(page) for page in pdf.pages]
            title = str(pdf.metadata.get("Title") or "")
    except PdfminerException as error:
        if isinstance(
            error.args[0], (PDFPasswordIncorrect, PDFEncryptionError, PDFTextExtractionNotAllowed)
        ):
            raise UnreadableError("encrypted") from None
        raise
    if not pages:
        raise UnreadableError("corrupt pdf")
    if sum(len(line.text) for page in pages for line in page) < 10 * len(pages):
        raise UnreadableError("a scan without text; run OCR over it")
    running = _running(pages)
    lines = [line for page in pages for line in page if not (line.edge and _shape(line) in running)]
    text = clean("\n\n".join(_paragraphs(lines)))
    return Parsed(
        "pdf", text, "" if text.startswith("# ") or "Microsoft" in title else clean(title).strip()
    )


def _lines(page: Any) -> list[Line]:
    """A page's lines in reading order; a table is one line of Markdown with line breaks."""
    from pdfminer.layout import LTTextBox

    ruled = len(page.lines) + len(page.rects) > 3
    tables = [(found.bbox, found.extract()) for found in page.find_tables()] if ruled else []
    tables = [(box, rows) for box, rows in tables if len(rows) > 1 and len(rows[0]) > 1]
    lines: list[Line] = []
    for box in _ordered([box for box in page.layout if isinstance(box, LTTextBox)], page.width):
        middle = (box.x0 + box.x1) / 2, page.height - (box.y0 + box.y1) / 2
        inside = [entry for entry in tables if _holds(entry[0], middle)]
        for entry in inside:
            if entry[1]:
                lines.append(
                    Line(
                        table([[cell or "" for cell in row] for row in entry[1]]),
                        0,
                        False,
                        False,
                        True,
                    )
                )
                entry[1].clear()
        if not inside:
            edge = not MARGIN < middle[1] / page.height < 1 - MARGIN
            lines += [
                line
                for number, raw in enumerate(box)
                if (line := _line(raw, edge, number == 0)).text
            ]
    page.close()
    return lines


def _ordered(boxes: list[Any], width: float) -> list[Any]:
    """Boxes in reading order: from top to bottom, but as pdfminer groups them where they stand in columns."""
    wide = [box for box in boxes if box.width > COLUMN * width]
    wide.sort(key=lambda box: box.x0)
    for number, left in enumerate(wide):
        for right in wide[number + 1 :]:
            if left.x1 <= right.x0 and min(left.y1, right.y1) > max(left.y0, right.y0):
                return boxes
    return sorted(boxes, key=lambda box: (-round(box.y1), box.x0))


def _holds(box: Sequence[float], point: tuple[float, float]) -> bool:
    return bool(box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])


def _line(raw: Any, edge: bool, opens: bool) -> Line:
    letters = [
        letter for letter in raw if hasattr(letter, "fontname") and not letter.get_text().isspace()
    ]
    heights = Counter(round(letter.size * 2) / 2 for letter in letters)
    bold = sum(
        "bold" in letter.fontname.lower() or "black" in letter.fontname.lower()
        for letter in letters
    )
    height = heights.most_common(1)[0][0] if heights else 0
    text = UNNAMED.sub("", raw.get_text().replace(UNNAMED_BULLET, "• "))
    return Line(" ".join(text.split()), height, bold * 10 > len(letters) * 9, edge, opens)


def _shape(line: Line) -> str:
    return NUMBER.sub("#", line.text)


def _running(pages: Sequence[Sequence[Line]]) -> set[str]:
    """Lines at the edge of most pages, whatever their numbers: heads and page numbers."""
    seen = Counter(
        shape for page in pages for shape in {_shape(line) for line in page if line.edge}
    )
    return {shape for shape, count in seen.items() if count > 2 and count * 2 > len(pages)}


def _paragraphs(lines: Sequence[Line]) -> Iterator[str]:
    """Blocks of Markdown: lines of one paragraph joined, words that were hyphenated made whole."""
    levels = _levels(lines)
    block: list[str] = []
    kind = 0
    for line in lines:
        level = _level(line, levels)
        item = BULLET.match(line.text)
        # A bullet may stand in a box of its own, before its text.
        if block and (line.opens or item or level != kind) and block != ["- "]:
            yield _joined(block, kind)
            block = []
        kind = level if not block else 0
        block.append(f"- {line.text[item.end() :]}" if item else line.text)
    if block:
        yield _joined(block, kind)


def _joined(lines: Iterable[str], level: int) -> str:
    text = ""
    for line in lines:
        if text.endswith("-") and text[-2:-1].isalpha() and line[:1].islower():
            text = text[:-1] + line
        else:
            text += f" {line}" if text.strip("- ") else line
    return f"{'#' * level} {text}" if level else text


def _levels(lines: Sequence[Line]) -> dict[float, int]:
    """The level of each height of letters; that of bold lines of the body's height stands under the body's height."""
    heights: Counter[float] = Counter()
    for line in lines:
        heights[line.height] += len(line.text) if line.height else 0
    body = heights.most_common(1)[0][0] if heights else 0.0
    large = sorted((height for height in heights if height >= body * LARGER), reverse=True)
    return {height: min(rank, 6) for rank, height in enumerate([*large, body], start=1)}


def _level(line: Line, levels: dict[float, int]) -> int:
    level = levels.get(line.height, 0)
    short = (
        len(line.text.split()) <= LONGEST
        and line.text[-1] not in ".,;"
        and any(map(str.isalpha, line.text))
    )
    is_body = level == len(levels)
    return (
        level
        if level and short and not BULLET.match(line.text) and (line.bold or not is_body)
        else 0
    )
