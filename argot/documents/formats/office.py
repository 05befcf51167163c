"""What the formats of Office share: their zip file, charts, diagrams (SmartArt) and properties."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Callable
from typing import Any

from argot.documents.formats.properties import day, properties

NAMES = {
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
}
# The strict form of the standard has other names of namespaces, which the libraries don't know.
STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
LOOSE = rb"http://schemas.openxmlformats.org/\1/2006/"


def parsed(xml: bytes) -> Any:
    """The root of an XML file, read without other files and without expanding its entities.

    MemoryError where it needs more memory than there is.
    """
    from lxml import etree

    try:
        return etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from None
        raise


def named(prefixed: str) -> str:
    """The name of an element or attribute as lxml writes it, of one such as w:p."""
    prefix, name = prefixed.split(":")
    return f"{{{NAMES[prefix]}}}{name}"


def rewritten(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The Office file with its XML files changed by `change(name, content)`, without pictures."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in dict.fromkeys(old.namelist()):
            content = b"" if "/media/" in name else old.read(name)
            if name.endswith((".xml", ".rels")):
                content = change(name, STRICT.sub(LOOSE, content))
            new.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def is_strict(data: bytes) -> bool:
    """Whether an Office file was saved as "Strict Open XML"."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"purl.oclc.org/ooxml" in archive.read("_rels/.rels")


def read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    """An XML file of an Office file, with the names of the common form of the standard."""
    return STRICT.sub(LOOSE, archive.read(name))


def main_part(archive: zipfile.ZipFile) -> str:
    """The file that holds the document; most are called word/document.xml, but not all."""
    entries = parsed(read_part(archive, "_rels/.rels"))
    found = [
        entry.get("Target")
        for entry in entries
        if entry.get("Type", "").endswith("/officeDocument")
    ]
    return str(found[0]).lstrip("/") if found else "word/document.xml"


def related(archive: zipfile.ZipFile, part: str) -> dict[str, str]:
    """The files that a part of an Office file refers to, by the ids of the references."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in archive.namelist():
        return {}
    entries = parsed(read_part(archive, relations))
    inside = [entry for entry in entries if entry.get("TargetMode") != "External"]
    targets = {
        entry.get("Id"): posixpath.normpath(posixpath.join("/", folder, entry.get("Target")))
        for entry in inside
    }
    return {key: target.lstrip("/") for key, target in targets.items()}


def about(data: bytes) -> tuple[str, dict[str, Any]]:
    """Title, and author and date as metadata, of an Office file's properties."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [
            name for name in archive.namelist() if name.endswith("core.xml") and "docProps" in name
        ]
        if not names:
            return "", {}
        fields = {
            element.tag.split("}")[-1]: element.text or ""
            for element in parsed(archive.read(names[0]))
        }
    date = day(fields.get("modified", "")) or day(fields.get("created", ""))
    return " ".join(fields.get("title", "").split()), properties(fields.get("creator"), date)


def chart_rows(xml: bytes) -> tuple[str, list[list[str]]]:
    """A chart's title, and its values: a row per category, a column per series."""
    root = parsed(STRICT.sub(LOOSE, xml))
    heading = " ".join("".join(root.xpath("string(c:chart/c:title)", namespaces=NAMES)).split())
    series = [_series(element) for element in root.iter(named("c:ser"))]
    categories: dict[str, str] = {}
    for _, labels, values in series:
        categories |= {key: labels.get(key, "") for key in values}
    keys = sorted(categories, key=int)
    rows = [["", *(name for name, _, _ in series)]]
    rows += [[categories[key], *(values.get(key, "") for _, _, values in series)] for key in keys]
    return heading, rows if series else []


def _series(element: Any) -> tuple[str, dict[str, str], dict[str, str]]:
    name = " ".join(element.xpath("c:tx//c:v/text()", namespaces=NAMES))
    return name, _points(element, "c:cat", "c:xVal"), _points(element, "c:val", "c:yVal")


def _points(element: Any, *names: str) -> dict[str, str]:
    """The values of a series by their indexes; labels on several levels are joined into one."""
    points: dict[str, str] = {}
    for name in names:
        for point in element.xpath(f"{name}//c:pt", namespaces=NAMES):
            value = "".join(point.xpath("c:v/text()", namespaces=NAMES)).strip()
            key = point.get("idx", "0")
            points[key] = f"{value} {points[key]}" if key in points else value
    return points


def diagram_lines(xml: bytes) -> list[str]:
    """The texts of a diagram's shapes, in their order."""
    texts = [
        " ".join("".join(point.itertext(named("a:t"))).split())
        for point in parsed(STRICT.sub(LOOSE, xml)).iter(named("dgm:pt"))
        # Placeholders ("[Text]") and the layout's own points show nothing.
        if point.get("type", "node") in ("node", "asst")
    ]
    return [text for text in texts if text]
