"""Rich Text Format (specification 1.9): headings, paragraphs, lists, tables, notes and code."""

from __future__ import annotations

import codecs
import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from argot.documents.formats import Parsed
from argot.documents.formats.html import MARKUP
from argot.documents.formats.plain import marked
from argot.documents.formats.text import clean, fenced, table

TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])"
    r"|([^\\{}\r\n]+)|[\r\n]|\\"
)
FONT = re.compile(r"\{\\f(\d{1,5})(\\[^{};]*)")
CHARSET = re.compile(r"\\fcharset(\d{1,3})")
STYLE = re.compile(r"\{\\s(\d{1,4})[^{};]*\\[a-z]+-?\d* ((?:[^\\{};]|\\')*);\}")
HEADING = re.compile(r"(?:head(?:ing)?|Überschrift|Titre|Título) ?([1-6])$", re.IGNORECASE)
INFO = re.compile(r"\{\\(title|author)\s([^{}]*)\}")
MOST_LEVELS, BODY = 6, 9
# Groups for programs, and those that `\*` marks as such though they hold text.
LEFT_OUT = {
    "info", "fonttbl", "colortbl", "stylesheet", "filetbl", "listtable", "revtbl", "pict",
    "header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf",
    "ftnsep", "ftnsepc", "aftnsep", "aftnsepc", "fldinst", "pntxta", "pntxtb", "xe", "tc", "rxe",
    "txe", "shprslt", "sp", "nonesttables", "datafield", "ffname", "ffdeftext", "ffformat",
}  # fmt: skip
MATH = re.compile("m[A-Za-z]+Pr")  # properties of equations
READ = {"shpinst", "moMath", "moMathPara"}
# Groups whose text goes elsewhere: in brackets, before the paragraph, or to its start.
NOTE, BOX, LABELS = "footnote", "shptxt", ("listtext", "pntext")
CHARACTERS = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "emspace": " ", "enspace": " ",
    "qmspace": " ", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "nestcell": " ", "~": " ", "_": "-", "{": "{", "}": "}", "\\": "\\",
}  # fmt: skip
PAGES = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030",
    136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256",
    186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
# Edges of cells that are nearer, in twentieths of a point, are one.
SNAP = 100


class State(NamedTuple):
    """What the end of a group sets back to what it was before the group."""

    encoding: str
    left_out: bool = False
    hidden: bool = False
    raised: bool = False
    monospaced: bool = False
    cell: bool = False
    level: int = 0  # of a heading; 0 for others
    fallback: int = 1  # how many characters follow one of Unicode, for programs without it


@dataclass
class Paragraph:
    """Text up to the end of a paragraph or a cell; `label` is the bullet or number of an item."""

    parts: list[str] = field(default_factory=list)
    label: str = ""
    level: int = 0
    monospaced: bool = True

    @property
    def text(self) -> str:
        return "".join(self.parts)


class Block(NamedTuple):
    """A paragraph, or a table as Markdown."""

    text: str
    kind: str = "text"
    level: int = 0


def read_rtf(data: bytes) -> Parsed:
    """Headings by their style or outline level; where there are none, by their looks."""
    source = data.decode("latin-1")
    reader = Reader(source)
    text = clean(_whole("\n\n".join(filter(None, _markdown(reader.read())))))
    info = {name: _value(value, reader.page) for name, value in INFO.findall(source)}
    metadata: dict[str, Any] = {"author": info["author"]} if info.get("author") else {}
    return Parsed("rtf", text, info.get("title", ""), metadata)


def _whole(text: str) -> str:
    """Characters beyond the first 65,536, which RTF writes as two halves, made whole."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _value(source: str, page: str) -> str:
    blocks = Reader(f"{source}\\par", page).read()
    return " ".join(" ".join(block.text for block in blocks).split())


class Reader:
    """Reads a file from its first word to its last, and collects its blocks."""

    def __init__(self, source: str, page: str = "cp1252") -> None:
        self.source, self.page, self.default = source, page, 0
        fonts = {int(font): about for font, about in FONT.findall(source)}
        charsets = {font: CHARSET.search(about) for font, about in fonts.items()}
        self.encodings = {
            font: CHARSETS.get(int(found[1]), "") for font, found in charsets.items() if found
        }
        self.modern = {font for font, about in fonts.items() if "\\fmodern" in about}
        names = {int(style): _value(name, page) for style, name in STYLE.findall(source)}
        found = {style: HEADING.search(name) for style, name in names.items()}
        self.levels = {style: int(match[1]) for style, match in found.items() if match}
        self.state = State(page)
        self.groups: list[State] = []
        self.asides: list[tuple[str, int, Paragraph]] = []
        self.paragraph = Paragraph()
        self.bytes, self.skip, self.starred = b"", 0, False
        self.edges: list[int] = []
        self.cells: list[str] = []
        self.rows: list[tuple[list[int], list[str]]] = []
        self.blocks: list[Block] = []

    def read(self) -> list[Block]:
        at = 0
        while token := TOKEN.match(self.source, at):
            at = token.end()
            word, number, code, symbol, brace, text = token.groups()
            if code or text:
                self._bytes(bytes.fromhex(code) if code else text.encode("latin-1", "replace"))
                continue
            if word or symbol or brace:
                self._flush()
            if word == "bin":
                at += int(number or 0)
            elif word:
                self._control(word, None if number is None else int(number))
            elif symbol:
                self._symbol(symbol)
            elif brace == "{":
                self.groups.append(self.state)
            elif brace:
                self._close()
        while self.groups:
            self._close()
        self._flush()
        self.state = self.state._replace(cell=False)
        self._row()
        self._end()
        return self.blocks

    def _bytes(self, data: bytes) -> None:
        kept = data[self.skip :]
        self.skip -= len(data) - len(kept)
        self.bytes += kept

    def _flush(self) -> None:
        if self.bytes:
            self._add(self.bytes.decode(self.state.encoding, "replace"))
        self.bytes, self.skip = b"", 0

    def _add(self, text: str) -> None:
        state, paragraph = self.state, self.paragraph
        if state.left_out or state.hidden:
            return
        if text.strip():
            paragraph.level = paragraph.level or state.level
            paragraph.monospaced &= state.monospaced
        before = paragraph.parts[-1] if paragraph.parts else ""
        if state.raised and text[0].isdigit() and before[-1:].isalnum():
            paragraph.parts.append("^")
        paragraph.parts.append(text)

    def _set(self, **values: Any) -> None:
        self.state = self.state._replace(**values)

    def _font(self, font: int) -> None:
        encoding = self.encodings.get(font) or self.page
        self._set(encoding=encoding, monospaced=font in self.modern)

    def _symbol(self, symbol: str) -> None:
        if symbol in CHARACTERS:
            self._add(CHARACTERS[symbol])
        elif symbol in "\r\n":
            self._end()
        self.starred = symbol == "*"

    def _control(self, word: str, number: int | None) -> None:
        starred, self.starred = self.starred, False
        value = number or 0
        if self.state.left_out:
            return
        if word in LEFT_OUT or (starred and word not in READ) or MATH.fullmatch(word):
            self._set(left_out=True)
        elif word in (NOTE, BOX, *LABELS):
            self.asides.append((word, len(self.groups), self.paragraph))
            self.paragraph = Paragraph()
        elif word in CHARACTERS:
            self._add(CHARACTERS[word])
        elif word == "u":
            self._add(chr(value % 0x10000))
            self.skip = self.state.fallback
        elif word in ("par", "sect", "page"):
            self._end()
        elif word in ("cell", "row", "trowd", "cellx"):
            self._table(word, value)
        elif word in ("f", "deff", "plain", "ansicpg", *PAGES):
            self._letters(word, value)
        elif word in ("super", "up", "nosupersub", "sub", "dn"):
            self._set(raised=word in ("super", "up") and number != 0)
        elif word in ("v", "deleted"):
            self._set(hidden=number != 0)
        elif word == "uc":
            self._set(fallback=value)
        elif word == "pard":
            self._set(cell=False, level=0)
        elif word == "intbl":
            self._set(cell=True)
        elif word == "s":
            self._set(level=self.levels.get(value, 0))
        elif word == "outlinelevel":
            self._set(level=0 if value >= BODY else min(value + 1, MOST_LEVELS))

    def _letters(self, word: str, value: int) -> None:
        if word == "f":
            self._font(value)
        elif word == "deff":
            self.default = value
        elif word == "plain":
            self._set(raised=False, hidden=False)
            self._font(self.default)
        else:
            page = PAGES.get(word, f"cp{value}")
            try:
                codecs.lookup(page)
            except LookupError:
                return
            self.page = page
            self._set(encoding=page)

    def _table(self, word: str, value: int) -> None:
        if word == "trowd":
            self.edges = []
        elif word == "cellx":
            self.edges.append(value)
        elif word == "row":
            self._row()
        else:
            self.cells.append(self.paragraph.text)
            self.paragraph = Paragraph()

    def _row(self) -> None:
        if any(cell.strip() for cell in self.cells):
            self.rows.append((self.edges, self.cells))
        self.cells = []

    def _end(self) -> None:
        """End a paragraph; within a note or a cell it goes on in the same one."""
        if self.state.left_out:
            return
        paragraph = self.paragraph
        if self.state.cell or self.cells or (self.asides and self.asides[-1][0] == NOTE):
            paragraph.parts.append("\n")
            return
        self._end_table()
        text = paragraph.text
        if paragraph.label and text.strip():
            bullet = paragraph.label if paragraph.label[:-1].isalnum() else "-"
            self.blocks.append(Block(f"{bullet} {' '.join(text.split())}", "item"))
        elif paragraph.level and text.strip():
            self.blocks.append(Block(" ".join(text.split()), "heading", paragraph.level))
        else:
            code = paragraph.monospaced if text.strip() else self.state.monospaced
            self.blocks.append(Block(text, "code" if code else "text"))
        self.paragraph = Paragraph()

    def _end_table(self) -> None:
        rows, self.rows = _aligned(self.rows), []
        if len(rows) > 1 and max(map(len, rows)) > 1:
            self.blocks.append(Block(table(rows), "table"))
        else:
            self.blocks += [Block(cell) for row in rows for cell in row]

    def _close(self) -> None:
        """End a group, and the note, the box or the label that it holds."""
        if self.asides and self.asides[-1][1] == len(self.groups):
            word, _, around = self.asides[-1]
            text = " ".join(self.paragraph.text.split())
            if word == BOX and text and not (self.state.cell or self.cells):
                self._end()
            elif text and word in LABELS:
                around.label = text
            elif text:
                around.parts.append(f" [{text}]" if word == NOTE else f" {text} ")
            self.asides.pop()
            self.paragraph = around
        if self.groups:
            self.state = self.groups.pop()


def _aligned(rows: Sequence[tuple[list[int], list[str]]]) -> list[list[str]]:
    """The cells of each row in the columns that they begin in, without empty columns.

    A cell may span columns of other rows: `rows` are pairs of the cells' right edges and the cells.
    """
    edges = sorted({edge for own, _ in rows for edge in own})
    columns = [edge for edge, after in pairwise([*edges, math.inf]) if after - edge > SNAP]
    width = max([len(columns), *(len(cells) for _, cells in rows)])
    aligned = []
    for own, cells in rows:
        starts = [0, *(bisect_left(columns, edge - SNAP) + 1 for edge in own)]
        places = starts if len(own) >= len(cells) else range(width)
        row = [""] * width
        for place, cell in zip(places, cells, strict=False):
            row[place] = f"{row[place]} {cell}".strip()
        aligned.append(row)
    used = [number for number in range(width) if any(row[number] for row in aligned)]
    return [[row[number] for number in used] for row in aligned]


def _markdown(blocks: Sequence[Block]) -> Iterator[str]:
    letters: Counter[bool] = Counter()
    for block in blocks:
        letters[block.kind == "code"] += len(block.text)
    if letters[True] > letters[False]:  # where most letters are monospaced, they mean nothing
        blocks = [block._replace(kind=block.kind.replace("code", "text")) for block in blocks]
    headings = any(block.kind == "heading" for block in blocks)
    for kind, run in groupby(blocks, key=lambda block: block.kind):
        group = list(run)
        if kind == "code":
            yield fenced("\n".join(block.text.expandtabs(4) for block in group).strip("\n"))
        elif kind == "heading":
            yield from (f"{'#' * block.level} {block.text}" for block in group)
        elif kind == "item":
            yield "\n".join(block.text for block in group)
        elif kind == "table":
            yield from (block.text for block in group)
        else:
            texts = [_plain(block.text) for block in group]
            text = "\n\n".join(filter(None, texts))
            yield text if headings else "\n".join(marked(text.split("\n")))


def _plain(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return MARKUP.sub(r"\1\\\2", "\n".join(filter(None, lines)))
