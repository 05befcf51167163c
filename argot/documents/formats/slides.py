"""Slides (PPTX) become Markdown: a section per slide, with its notes at the end."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.html import MARKUP
from argot.documents.formats.office import (
    about,
    chart_rows,
    diagram_lines,
    is_strict,
    named,
    rewritten,
)
from argot.documents.formats.text import slides_in, table

TYPES = "[Content_Types].xml"
# python-pptx reads decks; shows and templates differ from them in a word of their type.
OTHERS = re.compile(r"(presentationml|ms-powerpoint)\.(?:slideshow|template)(?=[\w.]*\.?main\+xml)")


def read_pptx(data: bytes) -> Parsed:
    """Titles become headings, text boxes paragraphs or lists, charts tables, and diagrams lists."""
    from pptx import Presentation

    deck = Presentation(io.BytesIO(_as_deck(data)))
    text, starts = slides_in([_slide(slide) for slide in deck.slides])
    title, metadata = about(data)
    return Parsed("pptx", text, title, metadata, starts)


def _as_deck(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        types = archive.read(TYPES).decode()
    if not is_strict(data) and not OTHERS.search(types):
        return data
    types = OTHERS.sub(r"\1.presentation", types)
    return rewritten(data, lambda name, content: types.encode() if name == TYPES else content)


def _slide(slide: Any) -> str:
    title = slide.shapes.title
    # A picture may fill the place of a title.
    heading = (
        " ".join(title.text_frame.text.split())
        if title is not None and title.has_text_frame
        else ""
    )
    parts = [f"## {heading}"] if heading else []
    parts += [part for shape in _shapes(slide.shapes) if shape != title and (part := _shape(shape))]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        parts.append(slide.notes_slide.notes_text_frame.text.strip())
    return "\n\n".join(part for part in parts if part)


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _shape(shape: Any) -> str:
    if getattr(shape, "has_table", False) and shape.has_table:
        return table(_cells(shape.table))
    if not shape.has_text_frame:
        return _drawing(shape)
    paragraphs = [(paragraph.level, _text(paragraph)) for paragraph in shape.text_frame.paragraphs]
    written = [(level, text) for level, text in paragraphs if text]
    listed = len(written) > 1
    return "\n".join(("  " * level + "- " if listed else "") + text for level, text in written)


def _cells(rows: Any) -> list[list[str]]:
    """The texts of a table; a cell over several rows or columns is read in the first of them."""
    return [["" if cell.is_spanned else cell.text for cell in row.cells] for row in rows.rows]


def _text(paragraph: Any) -> str:
    """The words of a paragraph, with its fields and equations."""
    from argot.documents.formats.equations import linear

    parts = []
    for element in paragraph._p.iter(named("a:t"), named("a:br"), named("m:oMath")):
        if element.tag == named("a:br"):
            parts.append(" ")
        elif element.tag == named("m:oMath"):
            parts.append(linear(element))
        else:
            parts.append(element.text or "")
    return MARKUP.sub(r"\1\\\2", " ".join("".join(parts).split()))


def _drawing(shape: Any) -> str:
    """The data of a chart or a diagram; what is seen is drawn from it."""
    for name in shape._element.xpath(".//*[local-name() = 'chart']/@r:id"):
        heading, rows = chart_rows(shape.part.related_part(name).blob)
        return "\n\n".join(part for part in (heading, table(rows)) if part)
    for name in shape._element.xpath(".//*[local-name() = 'relIds']/@r:dm"):
        return "\n".join(f"- {line}" for line in diagram_lines(shape.part.related_part(name).blob))
    return ""
