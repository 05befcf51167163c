"""What Word shows and mammoth leaves out, written into a Word file as text.

These are values of fields, equations, numbers of clauses, notes, charts and diagrams. A note comes
after the paragraph that refers to it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from argot.documents.formats.equations import linear
from argot.documents.formats.office import (
    NAMES,
    chart_rows,
    diagram_lines,
    main_part,
    named,
    parsed,
    read_part,
    related,
    rewritten,
)
from argot.documents.formats.word_headings import mark_headings
from argot.documents.formats.word_numbers import Numbering
from argot.documents.formats.word_styles import Styles

NOTES = ("footnote", "endnote")


def written_out(data: bytes) -> bytes:
    """The file with all that it shows as text of paragraphs, and its headings marked by a style."""
    from lxml import etree

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        name = main_part(archive)
        document = _document(archive, name)
    xml: bytes = etree.tostring(document)

    def change(member: str, content: bytes) -> bytes:
        if member == name:
            return xml
        return _whole(content) if member.endswith("/styles.xml") else content

    return rewritten(data, change)


def _whole(styles: bytes) -> bytes:
    """Styles with what mammoth needs: by the standard one without a type is of paragraphs.

    Nothing can refer to a style without an id.
    """
    from lxml import etree

    root = parsed(styles)
    for style in [*root.iter(named("w:style"))]:
        style.set(named("w:type"), style.get(named("w:type"), "paragraph"))
        if style.get(named("w:styleId")) is None:
            style.getparent().remove(style)
    xml: bytes = etree.tostring(root)
    return xml


def _document(archive: zipfile.ZipFile, name: str) -> Any:
    parts = related(archive, name)

    def root(ending: str) -> Any | None:
        found = [
            part for part in parts.values() if part.endswith(ending) and part in archive.namelist()
        ]
        return parsed(read_part(archive, found[0])) if found else None

    document = parsed(read_part(archive, name))
    styles = Styles(root("/styles.xml"))
    _unwrap_fields(document)
    _unwrap_readings(document)
    _write_equations(document)
    numbers = _write_numbers(document, styles, Numbering(root("/numbering.xml")))
    mark_headings(document, styles, numbers)
    _write_notes(document, {kind: root(f"/{kind}s.xml") for kind in NOTES})
    for drawing in [*document.iter(named("w:drawing"))]:
        _write_drawing(drawing, archive, parts)
    return document


def _unwrap_fields(document: Any) -> None:
    for field in [*document.iter(named("w:fldSimple"))]:
        for child in [*field]:
            field.addprevious(child)
        field.getparent().remove(field)


def _unwrap_readings(document: Any) -> None:
    """Keep words that have their reading in small print above them, and leave that out."""
    for ruby in [*document.iter(named("w:ruby"))]:
        run = ruby.getparent()
        for word in ruby.iterfind(f"{named('w:rubyBase')}/{named('w:r')}"):
            run.addprevious(word)
        run.remove(ruby)


def _write_equations(document: Any) -> None:
    for equation in [*document.iter(named("m:oMath"))]:
        equation.addprevious(_run(" ".join(linear(equation).split())))
        equation.getparent().remove(equation)
    for block in [*document.iter(named("m:oMathPara"))]:
        for child in block.findall(named("w:r")):
            block.addprevious(child)
        block.getparent().remove(block)


def _write_numbers(document: Any, styles: Styles, numbering: Numbering) -> set[Any]:
    """Write each paragraph's number before its text, except bullets; return the numbered ones."""
    numbered = set()
    for paragraph in document.iter(named("w:p")):
        # A box is in the file twice, for old programs and for new ones.
        if next(paragraph.iterancestors(named("w:txbxContent")), None) is not None:
            continue
        style = styles.of(paragraph)
        number, place = styles.list_of(paragraph)
        if number and place is None:
            place = numbering.place(number, style)
        text = numbering.next(number, place or 0) if number else None
        if text is None:
            continue
        numbered.add(paragraph)
        properties = paragraph.find(named("w:pPr"))
        if properties is None:
            properties = paragraph.makeelement(named("w:pPr"))
            paragraph.insert(0, properties)
        for old in properties.findall(named("w:numPr")):
            properties.remove(old)
        none = properties.makeelement(named("w:numPr"))
        for name in ("w:ilvl", "w:numId"):
            none.append(none.makeelement(named(name), {named("w:val"): "0"}))
        properties.append(none)
        if text.strip():
            properties.addnext(_run(f"{text.strip()} "))
    return numbered


def _write_notes(document: Any, roots: dict[str, Any]) -> None:
    """Number the references [1], [2] and so on; a note becomes a paragraph after its reference."""
    texts: dict[tuple[str, str | None], str] = {}
    for kind, root in roots.items():
        for note in root.findall(named(f"w:{kind}")) if root is not None else []:
            texts[kind, note.get(named("w:id"))] = _text(note)
    last: dict[Any, Any] = {}  # below which the next note of a paragraph goes
    count = 0
    for reference in [*document.iter(*(named(f"w:{kind}Reference") for kind in NOTES))]:
        kind = reference.tag.rsplit("}", 1)[-1].removesuffix("Reference")
        text = texts.get((kind, reference.get(named("w:id"))), "")
        paragraph = next(reference.iterancestors(named("w:p")), None)
        if not text or paragraph is None:
            continue
        count += 1
        # It goes beside the run, whose raised letters would turn [1] into a power.
        reference.getparent().addprevious(_run(f" [{count}]"))
        reference.getparent().remove(reference)
        note = _paragraph(f"[{count}] {text}")
        last.get(paragraph, paragraph).addnext(note)
        last[paragraph] = note


def _write_drawing(drawing: Any, archive: zipfile.ZipFile, parts: dict[str, str]) -> None:
    """Write a chart's data and a diagram's lines below the paragraph that they are in."""
    below: list[Any] = []
    there = {key: part for key, part in parts.items() if part in archive.namelist()}
    for key in filter(there.get, drawing.xpath(".//c:chart/@r:id", namespaces=NAMES)):
        heading, rows = chart_rows(archive.read(there[key]))
        below += [_paragraph(heading)] if heading else []
        below += [_table(rows)] if rows else []
    for key in filter(there.get, drawing.xpath(".//dgm:relIds/@r:dm", namespaces=NAMES)):
        below += [_paragraph(line) for line in diagram_lines(archive.read(there[key]))]
    for paragraph in [*drawing.iterancestors(named("w:p"))][-1:]:
        for element in reversed(below):
            paragraph.addnext(element)


def _text(note: Any) -> str:
    paragraphs = [
        "".join(paragraph.itertext(named("w:t"))) for paragraph in note.iter(named("w:p"))
    ]
    return " ".join(" ".join(paragraphs).split())


def _element(name: str, *children: Any) -> Any:
    from lxml import etree

    element = etree.Element(named(name), nsmap={"w": NAMES["w"]})
    element.extend(children)
    return element


def _run(text: str) -> Any:
    letters = _element("w:t")
    letters.text = text
    letters.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return _element("w:r", letters)


def _paragraph(text: str) -> Any:
    return _element("w:p", _run(text))


def _table(rows: Sequence[Sequence[str]]) -> Any:
    lines = [
        _element("w:tr", *(_element("w:tc", _paragraph(cell)) for cell in row)) for row in rows
    ]
    return _element("w:tbl", *lines)
