"""HTML becomes Markdown: headings, lists, tables and code stay; addresses of links go."""

from __future__ import annotations

import copy
import functools
import re
from collections import deque
from typing import Any

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.chrome import drop_chrome
from argot.documents.formats.properties import day
from argot.documents.formats.text import clean, decode, fenced
from argot.documents.words import UNSPACED

UNSEEN = ["script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "head"]
# A heading's link to itself, which many manuals show beside it.
PERMALINKS = {"#", "¶", "§", "🔗", "\uf0c1"}
CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{2,20})", re.IGNORECASE)
BLANK = re.compile(r"\n(?:[ \t]*\n){2,}")
# Blocks that markdownify takes for words of a line.
BLOCKS = [
    "main",
    "header",
    "footer",
    "aside",
    "figure",
    "details",
    "summary",
    "address",
    "fieldset",
    "form",
    "center",
]
# Text at the start of a line that would be read as Markdown.
MARKUP = re.compile(
    r"^(\s*)(#{1,6}(?:\s|$)|`{3}|~{3}|<(?=pre|script|style|textarea|!--)|(?:=+|-{2,})\s*$)",
    re.MULTILINE,
)
# In scripts without spaces between words, the end of a line is no space.
CHINESE_END = re.compile(rf"(?<=[{UNSPACED}])[ \t]*\n\s*(?=[{UNSPACED}])")
META = {
    "author": "author",
    "date": "date",
    "dcterms.date": "date",
    "article:published_time": "date",
}
CELLS, TABLE = ["td", "th"], ["table", "thead", "tbody", "tfoot", "tr", "td", "th"]
HEADINGS, ITEMS = ["h1", "h2", "h3", "h4", "h5", "h6"], ["li", "dt", "dd"]
# A cell over several rows is repeated in each if it has no more characters than this; more columns
# than this are cut off.
REPEATED, COLUMNS = 200, 200
ORDINAL = re.compile(r"st|nd|rd|th|er|re|e|è|ème|º|ª|o|a", re.IGNORECASE)
UNIT = re.compile(r"(?<![^\W\d_])[^\W\d_]{1,2}$")
POWERS = {"2": "²", "3": "³"}
RAISED = re.compile(r"[+\-−–]?\d")
# markdownify calls itself for each level of nesting, and Python allows a thousand such calls.
DEEPEST = 300
# <main> counts where it holds at least this share of the page's text.
MAIN = 0.5


def read_html(data: bytes) -> Parsed:
    """A page without its chrome; its <title> is the title."""
    declared = CHARSET.search(data[:4096])
    soup = _soup(decode(data, declared[1].decode() if declared else ""))
    title, metadata = _title(soup), _metadata(soup)
    _prune(soup)
    drop_chrome(soup)
    return Parsed("html", _markdown(_content(soup)), title, metadata)


def to_markdown(html: str) -> tuple[str, str]:
    """Markdown and title of HTML that is all content: a chapter, a mail, a converted file."""
    soup = _soup(html)
    title = _title(soup)
    _prune(soup)
    return _markdown(soup.body or soup), title


def _soup(html: str) -> Any:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "lxml")
    depths = {id(soup): 0}
    for tag in soup.find_all(True):
        depths[id(tag)] = depths[id(tag.parent)] + 1
        if depths[id(tag)] > DEEPEST:
            raise UnreadableError("nested too deeply")
    return soup


def _title(soup: Any) -> str:
    return " ".join(clean(soup.title.get_text(" ")).split()) if soup.title else ""


def _metadata(soup: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tag in soup.find_all("meta", content=True):
        key = META.get(str(tag.get("name") or tag.get("property") or "").lower())
        value = " ".join(clean(tag["content"]).split())
        if key == "date" and (date := day(value)):
            value = f"{date:%Y-%m-%d}"
        if key and value:
            found.setdefault(key, value)
    return found


def _prune(soup: Any) -> None:
    for tag in soup(UNSEEN):
        tag.extract()
    for link in soup("a", href=re.compile("^#")):
        if link.get_text(strip=True) in PERMALINKS:
            link.extract()


def _content(soup: Any) -> Any:
    """What holds the page's text: all <main> where most of the text is in them, else its body.

    The page's only <h1> is put before them.
    """
    body = soup.body or soup
    mains = [tag for tag in body.find_all("main") if not tag.find_parent("main")]
    inside = sum(len(main.get_text(strip=True)) for main in mains)
    if not mains or inside < MAIN * len(body.get_text(strip=True)):
        return body
    whole = soup.new_tag("div")
    whole.extend([main.extract() for main in mains])
    if not whole.find("h1") and (title := body.find("h1")):
        whole.insert(0, title.extract())
    return whole


def _markdown(content: Any) -> str:
    _unwrap_layout(content)
    for tag in content(BLOCKS):
        tag.name = "div"
    for table in content("table"):
        _regular(table)
    for tag in content(["sup", "sub"]):
        _mark_raised(tag)
    return BLANK.sub("\n\n", clean(_converter().convert_soup(content))).strip()


@functools.cache
def _converter() -> Any:
    from markdownify import MarkdownConverter

    class Converter(MarkdownConverter):
        """markdownify, for text that a person wrote as text."""

        def process_text(self, el: Any, parent_tags: Any = None) -> Any:
            return CHINESE_END.sub("", super().process_text(el, parent_tags))  # type: ignore[misc]

        def escape(self, text: str, parent_tags: Any) -> str:
            return MARKUP.sub(r"\1\\\2", text)

        def convert_pre(self, el: Any, text: str, parent_tags: Any) -> str:
            return (
                f"\n\n{fenced(text.strip(chr(10)))}\n\n" if "_inline" not in parent_tags else text
            )

        def convert_td(self, el: Any, text: str, parent_tags: Any) -> str:
            return f" {' '.join(text.split()).replace('|', chr(92) + '|')} |"

        convert_th = convert_td

    return Converter(
        heading_style="ATX",
        bullets="-",
        strip=["a", "img"],
        table_infer_header=True,
        escape_asterisks=False,
        escape_underscores=False,
    )


def _unwrap_layout(content: Any) -> None:
    """Tables and list items that only place what is in them, such as sections, become blocks."""
    for heading in content(HEADINGS):
        for item in heading.find_parents(ITEMS):
            if item.parent.name == "ol":
                heading.insert(0, f"{_number(item)}. ")
            item.name = "div"
    owners = [
        (tag, tag if tag.name == "table" else tag.find_parent("table")) for tag in content(TABLE)
    ]
    layout = {id(table) for table in content("table") if _is_layout(table)}
    for tag, owner in owners:
        if id(owner) in layout:
            tag.name = "div"


def _number(item: Any) -> int:
    """The number that a browser shows before an item of an ordered list."""
    start = str(item.parent.get("start", "1"))
    return (int(start) if start.isdecimal() else 1) + len(item.find_previous_siblings(True))


def _is_layout(table: Any) -> bool:
    if table.get("role") in ("presentation", "none") or table.find("table"):
        return True
    if table.find("th"):
        return False
    rows = [row.find_all("td", recursive=False) for row in table("tr")]
    if max(map(len, rows), default=0) < 2:
        return True
    return bool(table.find(HEADINGS)) or (
        len(rows) == 1 and bool(table.find(["p", "ul", "ol", "div", "pre"]))
    )


def _regular(table: Any) -> None:
    """Rows as in Markdown, with one cell per column.

    A cell over several rows is repeated, because each row must be understood by itself.
    """
    for caption in table("caption"):
        table.insert_before(caption.extract())
        caption.name = "p"
    for tag in table(["colgroup", "col"]):
        tag.extract()
    for tag in table(["thead", "tbody", "tfoot"]):
        tag.unwrap()
    _collect_strays(table)
    if not table.find(CELLS, rowspan=True) and not table.find(CELLS, colspan=True):
        return
    # By column: a cell of a row above that reaches down, and how many more rows it reaches.
    pending: dict[int, tuple[Any, int]] = {}
    for row in table("tr"):
        cells = _spread(deque(row.find_all(CELLS, recursive=False)), pending)
        row.clear()
        row.extend(cells)


def _collect_strays(table: Any) -> None:
    """Cells outside of rows become rows, as browsers show them."""
    from bs4 import Tag

    row = None
    for cell in table.find_all(CELLS, recursive=False):
        if row is None or cell.find_previous_sibling() is not row:
            row = cell.wrap(Tag(name="tr"))
        else:
            row.append(cell.extract())


def _spread(cells: deque[Any], pending: dict[int, tuple[Any, int]]) -> list[Any]:
    row: list[Any] = []
    while (cells or any(column >= len(row) for column in pending)) and len(row) < COLUMNS:
        column = len(row)
        if column in pending:
            cell, rows = pending.pop(column)
            if rows > 1:
                pending[column] = cell, rows - 1
            row.append(_copy(cell))
        elif cells:
            cell = cells.popleft()
            wide, rows = _span(cell, "colspan"), _span(cell, "rowspan")
            for place in range(column, column + wide):
                row.append(cell if place == column else _empty(cell))
                if rows > 1:
                    pending[place] = row[-1], rows - 1
        else:
            row.append(_empty(next(iter(pending.values()))[0]))
    return row


def _span(cell: Any, name: str) -> int:
    value = str(cell.attrs.pop(name, "1"))
    return (
        max(1, min(int(value), COLUMNS if name == "colspan" else 1 << 16))
        if value.isdecimal()
        else 1
    )


def _copy(cell: Any) -> Any:
    return copy.copy(cell) if len(cell.get_text()) <= REPEATED else _empty(cell)


def _empty(cell: Any) -> Any:
    empty = copy.copy(cell)
    empty.clear()
    return empty


def _mark_raised(tag: Any) -> None:
    """Write raised and lowered digits so that no number changes: 10^6, 45^2, days^1; m² and CO2."""
    text = tag.get_text(strip=True)
    before = tag.find_previous(string=True) if tag.previous_sibling is not None else None
    start = str(before or "")[-3:]
    if not text or not (start[-1:].isalnum() or start[-1:] in (")", "%")):
        return
    after_digit = start[-1:].isdigit()
    if tag.name == "sub":
        mark = f"_{text}" if after_digit and text[0].isdigit() else text
    elif text in POWERS and UNIT.search(start):
        mark = POWERS[text]
    else:
        needs_mark = RAISED.match(text) or (after_digit and not ORDINAL.fullmatch(text))
        mark = f"^{text}" if needs_mark else text
    tag.replace_with(mark)
