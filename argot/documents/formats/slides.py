"""Slides (PPTX) become Markdown: a section a slide, its notes at its end."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, table


def read_pptx(data: bytes) -> Parsed:
    """Titles become headings, text boxes lists and paragraphs, tables stay tables."""
    from pptx import Presentation

    deck = Presentation(io.BytesIO(data))
    slides = [_slide(slide) for slide in deck.slides]
    return Parsed(
        "pptx",
        clean("\n\n".join(slide for slide in slides if slide)),
        deck.core_properties.title or "",
    )


def _slide(slide: Any) -> str:
    title = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
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
        return table([[cell.text for cell in row.cells] for row in shape.table.rows])
    if not shape.has_text_frame:
        return ""
    paragraphs = [paragraph for paragraph in shape.text_frame.paragraphs if paragraph.text.strip()]
    listed = len(paragraphs) > 1
    return "\n".join(
        ("  " * paragraph.level + "- " if listed else "") + " ".join(paragraph.text.split())
        for paragraph in paragraphs
    )
