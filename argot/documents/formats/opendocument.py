"""OpenDocument (LibreOffice): texts, sheets and slides become HTML, which becomes Markdown."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from html import escape
from typing import Any

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.archive import open_archive
from argot.documents.formats.html import to_markdown
from argot.documents.formats.opendocument_numbers import Numbers
from argot.documents.formats.properties import day, properties
from argot.documents.formats.sheet_tables import tables
from argot.documents.formats.text import clean, slides_in

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
SHOW = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
DUBLIN = "{http://purl.org/dc/elements/1.1/}"
META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
SVG = "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}"
# Deleted text, comments, generated lists of headings, and what describes pictures.
SKIPPED = {
    f"{TEXT}tracked-changes",
    f"{TEXT}table-of-content",
    f"{TEXT}note-citation",
    f"{OFFICE}annotation",
    f"{OFFICE}forms",
    f"{TABLE}covered-table-cell",
    f"{SVG}title",
    f"{SVG}desc",
}
TAGS = {
    f"{TABLE}table": "table",
    f"{TABLE}table-row": "tr",
    f"{DRAW}text-box": "div",
}
# A sheet repeats its last cell and row up to its edge, a million times; no more than this is read.
MOST_REPEATED = 100
MANIFEST = "META-INF/manifest.xml"
DEEPEST = 10  # levels of headings, by the standard
# Numbers of a list as Markdown has them; all others become part of the item's text.
PLAIN = re.compile(r"\d+\.")
FIRST = re.compile(r"<(?:p|h\d)>")


def read_odt(data: bytes) -> Parsed:
    """A text: headings, lists, tables; notes at its end."""
    document = _Document(data)
    text, _ = to_markdown(f"<body>{document.html(document.body('text'))}{document.notes()}</body>")
    return document.parsed("odt", text)


def read_ods(data: bytes) -> Parsed:
    """A section per sheet, with the values as they are shown."""
    document, parts = _Document(data), []
    for sheet in document.body("spreadsheet").findall(f"{TABLE}table"):
        rows = [_row(row) for row in sheet.iter(f"{TABLE}table-row") for _ in range(_repeated(row))]
        if found := tables(rows):
            parts += [f"## {sheet.get(f'{TABLE}name', '')}", *found]
    return document.parsed("ods", clean("\n\n".join(parts)))


def read_odp(data: bytes) -> Parsed:
    """A section per slide, its notes at the end of the document."""
    document = _Document(data)
    slides = [document.html(page) for page in document.body("presentation").findall(f"{DRAW}page")]
    texts = [to_markdown(f"<body>{html}</body>")[0] for html in [*slides, document.notes()]]
    text, starts = slides_in(texts)
    return replace(document.parsed("odp", text), pages=starts[: len(slides)])


class _Document:
    def __init__(self, data: bytes) -> None:
        archive = open_archive(data)
        listed = archive.read(MANIFEST) if MANIFEST in archive.namelist() else b""
        if b"encryption-data" in listed:
            raise UnreadableError("encrypted")
        self.content = _xml(archive, "content.xml")
        self.meta = _xml(archive, "meta.xml") if "meta.xml" in archive.namelist() else None
        self.styles = {
            style.get(f"{STYLE}name"): style for style in self.content.iter(f"{STYLE}style")
        }
        styles = [_xml(archive, "styles.xml")] if "styles.xml" in archive.namelist() else []
        self.numbers = Numbers([self.content, *styles])
        self._notes: list[str] = []

    def body(self, kind: str) -> Any:
        return self.content.find(f"{OFFICE}body/{OFFICE}{kind}")

    def parsed(self, format: str, text: str) -> Parsed:
        author = self._property(f"{META}initial-creator") or self._property(f"{DUBLIN}creator")
        metadata = properties(author, day(self._property(f"{DUBLIN}date")))
        return Parsed(format, text, self._property(f"{DUBLIN}title"), metadata)

    def notes(self) -> str:
        return "".join(
            f"<p>[{number}] {note}</p>" for number, note in enumerate(self._notes, start=1)
        )

    def html(self, node: Any) -> str:
        """The element and what is in it, without the text after it."""
        tag = node.tag
        if tag in SKIPPED or not isinstance(tag, str):
            return ""
        if tag == f"{TEXT}s":
            return " " * min(int(node.get(f"{TEXT}c", "1")), MOST_REPEATED)
        if tag == f"{TEXT}tab":
            return " "
        if tag == f"{TEXT}line-break":
            return "<br/>"
        if tag == f"{TEXT}list":
            return self._list(node)
        inner = self._inner(node)
        if tag == f"{TEXT}note":
            self._notes.append(inner.replace("<p>", "").replace("</p>", " ").strip())
            return f" [{len(self._notes)}]"
        if tag in (f"{TEXT}h", f"{TEXT}p"):
            return self._paragraph(node, inner)
        if tag == f"{TEXT}span":
            return self._span(node, inner)
        if tag == f"{TABLE}table-cell":
            spans = "".join(
                f' {name}="{escape(node.get(f"{TABLE}number-{kind}-spanned", "1"))}"'
                for name, kind in (("rowspan", "rows"), ("colspan", "columns"))
            )
            return f"<td{spans}>{inner}</td>" * (_repeated(node) if inner else 1)
        if node.get(f"{SHOW}class") == "title":
            return f"<h2>{inner.replace('<p>', '').replace('</p>', ' ')}</h2>"
        return f"<{TAGS[tag]}>{inner}</{TAGS[tag]}>" if tag in TAGS else inner

    def _inner(self, node: Any) -> str:
        parts = [escape(node.text or "")]
        for child in node:
            parts += [self.html(child), escape(child.tail or "")]
        return "".join(parts)

    def _list(self, node: Any) -> str:
        self.numbers.enter(node)
        items = []
        for child in node:
            number = self.numbers.item() if child.tag == f"{TEXT}list-item" else ""
            items.append((number, self._inner(child)))
        self.numbers.leave()
        if items and all(PLAIN.fullmatch(number) for number, _ in items):
            start = items[0][0].rstrip(".")
            return f'<ol start="{start}">{"".join(f"<li>{inner}</li>" for _, inner in items)}</ol>'
        return f"<ul>{''.join(f'<li>{_numbered(*item)}</li>' for item in items)}</ul>"

    def _paragraph(self, node: Any, inner: str) -> str:
        style = self._style(node)
        if node.tag == f"{TEXT}h":
            level = max(1, min(int(node.get(f"{TEXT}outline-level", "1")), DEEPEST))
            counted = inner and node.get(f"{TEXT}is-list-header") != "true"
            number = self.numbers.heading(level) if counted else ""
            tag = f"h{min(level, 6)}"
            return f"<{tag}>{escape(number)} {inner}</{tag}>"
        if style == "Title":
            return f"<h1>{inner}</h1>"
        return f"<pre>{inner}</pre>" if style.startswith("Preformatted") else f"<p>{inner}</p>"

    def _style(self, node: Any) -> str:
        """The name of the style that the author chose.

        LibreOffice derives nameless ones from it, such as P1, for single paragraphs.
        """
        name = node.get(f"{TEXT}style-name", "")
        style = self.styles.get(name)
        return str(name if style is None else style.get(f"{STYLE}parent-style-name", name))

    def _span(self, node: Any, inner: str) -> str:
        style = self.styles.get(node.get(f"{TEXT}style-name"))
        properties = None if style is None else style.find(f"{STYLE}text-properties")
        position = "" if properties is None else properties.get(f"{STYLE}text-position", "")
        if not position or position.startswith("0"):
            return inner
        return f"<sub>{inner}</sub>" if position.startswith(("sub", "-")) else f"<sup>{inner}</sup>"

    def _property(self, name: str) -> str:
        found = None if self.meta is None else self.meta.find(f".//{name}")
        return "" if found is None else " ".join(clean(found.text or "").split())


def _numbered(number: str, inner: str) -> str:
    """An item whose first paragraph begins with its number."""
    return FIRST.sub(rf"\g<0>{escape(number)} ", inner, count=1) if number else inner


def _xml(archive: zipfile.ZipFile, name: str) -> Any:
    from lxml import etree

    return etree.fromstring(
        archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True)
    )


def _row(row: Any) -> list[str]:
    cells: list[str] = []
    for cell in row:
        if cell.tag in (f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
            lines = [
                " ".join("".join(line.itertext()).split()) for line in cell.findall(f"{TEXT}p")
            ]
            cells += [" ".join(lines)] * _repeated(cell)
    return cells


def _repeated(node: Any) -> int:
    kind = "rows" if node.tag == f"{TABLE}table-row" else "columns"
    return max(1, min(int(node.get(f"{TABLE}number-{kind}-repeated", "1")), MOST_REPEATED))
