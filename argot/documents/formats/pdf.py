"""PDF becomes Markdown: headings by their letters, tables by their rules or columns."""

from __future__ import annotations

import datetime
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from statistics import median
from typing import Any, NamedTuple

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.pdf_layout import Line, Table, layout
from argot.documents.formats.pdf_page import View, has_picture, views
from argot.documents.formats.properties import properties
from argot.documents.formats.text import clean, clean_parts, table

BULLET = re.compile(r"\s*[•‣◦▪●■○□–-](?:\s+|$)")
ENUMERATOR = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{2,5})[.)]\s")
NUMBER = re.compile(r"\d+")
DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")
# Letters of scripts without spaces between words.
UNSPACED = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
# A line of Markdown that would be a heading or a fence, though it is text.
MARK = re.compile(r"(?=#{1,6}\s|```|~~~)")
LARGER, SAME_SIZE, LONGEST, FEWEST_LETTERS = 1.15, 0.06, 14, 2
# Where a smaller share of the cells is filled, it is a form and no table.
SPARSE = 0.4
# A page with fewer letters and a picture is a scan. A gap of this many times the usual distance
# between lines ends a paragraph.
SCANNED, GAP = 10, 1.25
PASSWORD, SECURITY = 4, 5


class Mark(NamedTuple):
    """Where text of a page begins."""

    offset: int
    page: int  # from 1


class Paragraph(NamedTuple):
    """Lines of one style that belong together."""

    text: str
    size: float
    bold: bool
    marks: tuple[Mark, ...]
    code: bool = False
    open: bool = False  # its column ends with it


class Column(NamedTuple):
    """Where the lines of paragraphs begin and end, and their distance in sizes of their letters."""

    left: float
    right: float
    pitch: float


def read_pdf(data: bytes) -> Parsed:
    """The pages' text in reading order; running heads, page numbers and pictures are left out."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(
            "encrypted" if error.err_code in (PASSWORD, SECURITY) else "corrupt pdf"
        ) from None
    if not len(document):
        raise UnreadableError("corrupt pdf")
    document.init_forms()
    pages: list[list[list[Line] | Table]] = []
    scanned = []
    monospaced: Counter[bool] = Counter()
    for number in range(len(document)):
        found, is_scan = _views(document, number)
        monospaced.update(word.monospaced for view in found for word in view.words)
        # Where most letters of a document are monospaced, they are no sign of code.
        code = monospaced[True] <= monospaced[False]
        pages.append([block for view in found for block in layout(view, code)])
        scanned += [number + 1] if is_scan else []
    if len(scanned) == len(pages):
        raise UnreadableError("a scan without text; run OCR over it")
    blocks = [*_markdown([*_paragraphs(_without_running(pages))])]
    text, starts = _paged(blocks, len(pages))
    about = document.get_metadata_dict()
    metadata = properties(about["Author"], _date(about["ModDate"] or about["CreationDate"]))
    if scanned:
        metadata |= {"pages": len(pages), "pages_without_text": scanned}
    document.close()
    title = "" if text.startswith("# ") else " ".join(clean(about["Title"]).split())
    return Parsed("pdf", text, title, metadata, starts)


def _views(document: Any, number: int) -> tuple[list[View], bool]:
    """What a page says in each direction of writing, and whether it is a scan."""
    from pypdfium2 import raw

    page = document[number]
    # Text in forms and stamps is not part of the page; flattening draws it into the page.
    if (
        raw.FPDFPage_GetAnnotCount(page)
        and raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS
    ):
        page.close()
        page = document[number]
    found = views(page)
    letters = sum(len(word.text) for view in found for word in view.words)
    is_scan = letters < SCANNED and has_picture(page)
    page.close()
    return found, is_scan


def _paged(blocks: Sequence[tuple[str, list[Mark]]], count: int) -> tuple[str, list[int]]:
    """The blocks as one clean text, and where each of `count` pages starts in it."""
    text = "\n\n".join(block for block, _ in blocks)
    begins = accumulate((len(block) + 2 for block, _ in blocks), initial=0)
    marks = [
        Mark(begin + mark.offset, mark.page)
        for begin, (_, own) in zip(begins, blocks, strict=False)
        for mark in own
    ]
    # A page starts with the first mark of it or of a later page: it may have no text.
    numbers = [mark.page for mark in marks]
    offsets = [*(mark.offset for mark in marks), len(text)]
    starts = [offsets[bisect_left(numbers, page)] for page in range(1, count + 1)]
    return clean_parts([text[start:end] for start, end in pairwise([*starts, len(text)])])


def _date(text: str) -> datetime.date | None:
    match = DATE.match(text)
    try:
        return datetime.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _without_running(
    pages: Sequence[Sequence[list[Line] | Table]],
) -> Iterator[tuple[int, list[Line] | Table]]:
    """The blocks with their pages' numbers, without running heads and page numbers.

    These are lines at the edge of most pages that differ at most in their digits.
    """
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update(
            {
                _shape(line)
                for block in page
                for line in block
                if isinstance(line, Line) and line.edge
            }
        )
    running = {shape for shape, count in seen.items() if count > 2 and count * 2 > len(pages)}
    if all(
        isinstance(line, Line) and _shape(line) in running
        for page in pages
        for block in page
        for line in block
    ):
        running = set()  # the pages hold nothing else
    for number, block in ((at, block) for at, page in enumerate(pages, 1) for block in page):
        if isinstance(block[0], Line):
            kept = [
                line
                for line in block
                if isinstance(line, Line) and not (line.edge and _shape(line) in running)
            ]
            yield number, kept
        else:
            yield number, block


def _shape(line: Line) -> str:
    return NUMBER.sub("#", line.text)


def _paragraphs(blocks: Iterator[tuple[int, list[Line] | Table]]) -> Iterator[Paragraph]:
    for page, block in blocks:
        if not block:
            continue
        marks = (Mark(0, page),)
        if not isinstance(block[0], Line):
            yield from (Paragraph(text, 0, False, marks) for text in _rows(block))
            continue
        groups = [*_groups(block)]
        for number, group in enumerate(groups):
            code = all(line.code for line in group)
            text = _indented(group) if code else _joined([line.text for line in group])
            size = group[0].size if group[0].main else 0.0
            bold, last = all(line.bold for line in group), number == len(groups) - 1
            yield Paragraph(text, size, bold, marks, code, last)


def _rows(rows: Table) -> Iterator[str]:
    """A table without empty columns; a form, of whose cells few are filled, as lines."""
    columns = [number for number in range(len(rows[0])) if any(row[number] for row in rows)]
    filled = sum(bool(cell) for row in rows for cell in row)
    if filled >= SPARSE * len(rows) * len(columns) and len(columns) > 1:
        yield table([[row[number] for number in columns] for row in rows])
    else:
        yield from (" | ".join(filter(None, row)) for row in rows if any(row))


def _indented(lines: Sequence[Line]) -> str:
    """Lines of code, with as many spaces before them as there is room."""
    letter = (lines[0].x1 - lines[0].x0) / len(lines[0].text)
    left = min(line.x0 for line in lines)
    return "\n".join(" " * round((line.x0 - left) / letter) + line.text for line in lines)


def _groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines of a column by paragraphs."""
    column = _measured(lines)
    group = [lines[0]]
    for before, line in pairwise(lines):
        if _opens(group, before, line, column):
            yield group
            group = []
        group.append(line)
    yield group


def _measured(lines: Sequence[Line]) -> Column:
    """The edges of a column, and how far its lines are apart.

    A line that fills its column is followed by one of its paragraph, so those are measured.
    """
    left, right = min(line.x0 for line in lines), max(line.x1 for line in lines)
    full = right - 0.15 * (right - left)
    pairs = [pair for pair in pairwise(lines) if _same_size(*pair) and pair[0].x1 > full]
    if not pairs:
        return Column(left, right, 1.3)
    pitch = median((line.y - before.y) / line.size for before, line in pairs)
    return Column(median(line.x0 for _, line in pairs), right, pitch)


def _same_size(one: Line, other: Line) -> bool:
    return abs(one.size - other.size) <= SAME_SIZE * max(one.size, other.size)


def _opens(group: Sequence[Line], before: Line, line: Line, column: Column) -> bool:
    """Whether a paragraph begins with `line`."""
    if not _same_size(before, line) or before.code != line.code:
        return True
    # A sentence that begins in bold letters goes on in others.
    if before.bold != line.bold and not line.text[:1].islower():
        return True
    if not 0 < line.y - before.y <= GAP * column.pitch * line.size:
        return True
    if before.code:
        return False
    if _item(line.text) or (_item(group[0].text) and line.x0 < group[0].x0 - line.size):
        return True
    # Where first lines begin farther left than others, being farther right means nothing.
    indented = line.x0 > max(before.x0, column.left) + line.size and not _item(before.text)
    if (indented and before.x1 > column.right - 3 * line.size) or line.bold:
        return indented and not line.bold
    # The writer broke the line although its next word had room.
    room = line.size if UNSPACED.match(line.text) else line.first + 0.3 * line.size
    return before.x1 + room < column.right - line.size


def _item(text: str) -> bool:
    return bool(BULLET.match(text) or ENUMERATOR.match(text))


def _joined(lines: Sequence[str]) -> str:
    """One line of text; words that were hyphenated are made whole."""
    text = lines[0]
    for line in lines[1:]:
        if text.endswith("-") and text[-2:-1].isalpha() and line[:1].islower():
            text = text[:-1] + line
        elif UNSPACED.match(text[-1:]) and UNSPACED.match(line):
            text += line
        else:
            text += f" {line}"
    return text


def _markdown(paragraphs: Sequence[Paragraph]) -> Iterator[tuple[str, list[Mark]]]:
    """Blocks of Markdown with their marks.

    A paragraph that goes on in the next column or page is joined.
    """
    letters: Counter[float] = Counter()
    for paragraph in paragraphs:
        letters[paragraph.size] += len(paragraph.text) if paragraph.size else 0
    body = max(letters, key=lambda size: (letters[size], -size), default=0.0)
    styles = {(entry.size, entry.bold) for entry in paragraphs if _is_heading(entry, body)}
    levels = {
        style: min(rank, 6) for rank, style in enumerate(sorted(styles, reverse=True), start=1)
    }
    begun: Paragraph | None = None
    for paragraph in paragraphs:
        if begun and _goes_on(begun, paragraph):
            text = _joined([begun.text, paragraph.text])
            (mark,) = paragraph.marks
            mark = mark._replace(offset=len(text) - len(paragraph.text))
            begun = paragraph._replace(text=text, marks=(*begun.marks, mark))
            continue
        if begun:
            yield _marked(begun, levels if _is_heading(begun, body) else {})
        begun = paragraph
    if begun:
        yield _marked(begun, levels if _is_heading(begun, body) else {})


def _goes_on(begun: Paragraph, paragraph: Paragraph) -> bool:
    plain = begun.open and begun.size == paragraph.size and not begun.code and not paragraph.code
    return (
        plain
        and begun.bold == paragraph.bold
        and begun.text[-1] not in ".:;!?"
        and paragraph.text[0].islower()
    )


def _is_heading(paragraph: Paragraph, body: float) -> bool:
    """Short, with letters, no sentence; larger than the body's letters, or bold and not smaller."""
    text, size = paragraph.text, paragraph.size
    styled = size >= body * LARGER or (paragraph.bold and size >= body)
    short = len(text.split()) <= LONGEST and len(text) <= 100 and text[-1] not in ".,;"
    words = sum(map(str.isalpha, text)) >= FEWEST_LETTERS
    return (
        bool(size) and styled and short and words and not paragraph.code and not BULLET.match(text)
    )


def _marked(paragraph: Paragraph, levels: dict[tuple[float, bool], int]) -> tuple[str, list[Mark]]:
    block = _block(paragraph, levels)
    # What Markdown adds in front moves all marks but the first, which is where the block begins.
    added = len(block) - len(paragraph.text)
    first, *others = paragraph.marks
    return block, [first, *(Mark(mark.offset + added, mark.page) for mark in others)]


def _block(paragraph: Paragraph, levels: dict[tuple[float, bool], int]) -> str:
    text = paragraph.text
    if paragraph.code:
        return f"```\n{text}\n```"
    if not paragraph.size:
        return text
    level = levels.get((paragraph.size, paragraph.bold))
    if level:
        return f"{'#' * level} {text}"
    bullet = BULLET.match(text)
    return f"- {text[bullet.end() :]}" if bullet else MARK.sub(r"\\", text, count=1)
