"""Rich Text Format. striprtf extracts the text.

Before that, marks are written into the file that keep its headings, tables and raised digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from argot.documents.formats import Parsed
from argot.documents.formats.html import MARKUP
from argot.documents.formats.plain import marked
from argot.documents.formats.text import clean, table

# Marks are private characters of Unicode, which striprtf keeps: ends of cells and rows, starts of
# rows, raised digits, and levels of headings.
CELL, ROW, START, RAISED, LEVEL = "\ue000", "\ue001", "\ue002", "\ue003", 0xE010
CODEPAGE = re.compile(rb"\\ansicpg(\d{1,5})")
WORDS = re.compile(
    r"\\(cell|nestcell|row|nestrow|trowd|super|up[1-9]\d?|outlinelevel[0-5]|s\d{1,4})(?![a-z\d]) ?"
)
STYLE = re.compile(
    r"\{\\s(\d{1,4})\b[^{}]*? (?:heading|Überschrift|Titre|Título) ?([1-6])\b", re.IGNORECASE
)
INFO = re.compile(r"\{\\(title|author)\s([^{}]*)\}")
ITEM = re.compile(r"^[·•▪\uf0b7\uf0a7o–-]\t\s*")
NOTE = re.compile(r"\{(?:\\\*)?\\footnote(?![a-z])")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
MARKS = re.compile("[\ue000-\ue01f]")


def read_rtf(data: bytes) -> Parsed:
    """Paragraphs, headings by their style or outline level, lists and tables."""
    page = CODEPAGE.search(data[:4096])
    source = _decode(data, f"cp{page[1].decode()}" if page else "cp1252")
    info = {name: _text(f"{{\\rtf1 {value}}}").strip() for name, value in INFO.findall(source)}
    styles = {f"s{number}": int(level) - 1 for number, level in STYLE.findall(source)}
    source = "".join(_with_notes(source))
    text = _text(WORDS.sub(lambda match: _marked(match, styles), source))
    blocks = [block for block in _blocks(text) if block]
    markdown = clean(re.sub(r"(?m)^(- .*)\n\n(?=- )", r"\1\n", "\n\n".join(blocks)))
    if not any(block.startswith("#") for block in blocks):
        markdown = "\n".join(marked(markdown.split("\n")))
    metadata: dict[str, Any] = {"author": info["author"]} if info.get("author") else {}
    return Parsed("rtf", markdown, info.get("title", ""), metadata)


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, errors="replace")
    except LookupError:
        return data.decode("cp1252", errors="replace")


def _text(source: str) -> str:
    from striprtf.striprtf import rtf_to_text

    return str(rtf_to_text(source, errors="replace"))  # type: ignore[no-untyped-call]


def _with_notes(source: str) -> Iterator[str]:
    """The source with its notes, which striprtf leaves out, as text in brackets."""
    at = 0
    for note in NOTE.finditer(source):
        if note.start() >= at:
            yield f"{source[at : note.start()]}{{ [\\plain "
            at = _closing(source, note.end())
            yield f"{source[note.end() : at].lstrip()}]"
    yield source[at:]


def _closing(source: str, start: int) -> int:
    """Where the group that is open at `start` ends, before its brace."""
    depth = 1
    for match in BRACE.finditer(source, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.start()
    return len(source)


def _marked(match: re.Match[str], styles: dict[str, int]) -> str:
    word = match[1]
    if word in ("cell", "nestcell"):
        mark = CELL
    elif word in ("row", "nestrow"):
        mark = ROW
    elif word == "trowd":
        mark = START
    elif word.startswith("outlinelevel"):
        mark = chr(LEVEL + int(word[-1]))
    elif word in styles:
        mark = chr(LEVEL + styles[word])
    else:
        mark = RAISED if word.startswith(("super", "up")) else ""
    return f"\\{word} {mark}"


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs and tables in their order. A row of a table is what is between START and ROW."""
    rows: list[list[str]] = []
    for piece in re.split(f"\n{ROW}", text):
        before, start, row = piece.partition(START)
        if before.strip() and rows:
            yield table(rows)
            rows = []
        yield from map(_paragraph, before.split("\n"))
        if start and CELL in row:
            rows.append([_plain(cell) for cell in row.split(f"|{CELL}")[:-1]])
        elif start:
            yield from map(_paragraph, row.split("\n"))
    if rows:
        yield table(rows)


def _paragraph(line: str) -> str:
    levels = [ord(mark) - LEVEL + 1 for mark in MARKS.findall(line) if ord(mark) >= LEVEL]
    plain = _plain(line)
    if levels and plain:
        return f"{'#' * levels[-1]} {plain}"
    item = ITEM.match(MARKS.sub("", line).lstrip())
    return f"- {plain[1:].strip()}" if item else MARKUP.sub(r"\1\\\2", plain)


def _plain(text: str) -> str:
    """Without marks; raised digits get a ^ between them and the word or number before."""
    raised = re.sub(f"(?<=\\w){RAISED}(?=\\d)", "^", text)
    return " ".join(MARKS.sub("", raised).split())
