"""Readers of documents compared: ours, markitdown, xberg, and pandoc where it is installed.

    python -m benchmarks.readers             made files, one of each kind and format
    python -m benchmarks.readers FOLDER      files of your own

What a reader should make of your files is in FOLDER/expected.json. Without that file PDFs are
compared with the words that pdfium finds, running heads left out, and NAME.rtf with NAME.fodt,
which LibreOffice makes of it: `soffice --headless --convert-to fodt *.rtf` in FOLDER.

`expected.json` maps a file's path in FOLDER to what a reader should make of it, all of it optional:
{"content": ["a run of words"], "chrome": ["a run of words"], "headings": ["Fees"],
"rows": [["Port", "Fee"]]}.
Prints a table for docs/PERFORMANCE.md. "words kept" counts words in any order, "pairs kept" those
that follow each other. The libraries come with the extra `bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import email.message
import io
import json
import re
import shutil
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from argot.documents.formats import UnreadableError
from argot.documents.formats.reader import parse

WORD = re.compile(r"[^\W_]+")
# Marks of Markdown within a word, and HTML, which some readers write.
MARKS = re.compile(r"\*\*|\\(?=[^\w\s\\])")
TAG = re.compile(r"</?(?:su[bp]|br|[biu]|em|strong|table|t[rdh]|thead|tbody|p|div|span)\b[^<>]*>")
FENCED = re.compile(r"^(`{3,}).*?^\1", re.DOTALL | re.MULTILINE)
HEAD = (
    "| {} | reader | files read | words kept | pairs kept | headings found | table rows right "
    "| chrome kept | ms a file |"
)
RULE = "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
# OpenDocument's names, and what is in a paragraph of it but is no part of its text.
TEXT, TABLE = (
    f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("text", "table")
)
APART = {"note", "annotation", "frame", "custom-shape", "tracked-changes"}

TITLE = "Berth tariff of the north harbour"
SECTIONS = {
    "Opening hours": "The gate opens at five in the morning and closes at eleven at night, on "
    "Sundays at six.",
    "Demurrage": "It is counted from the fifth day on, and billed by the office on the first of "
    "each month.",
    "Complaints": "Whoever finds a mistake writes to the claims desk within thirty days of the "
    "invoice.",
}
ITEMS = ["Return empty containers to the depot.", "Book a slot for the crane a day before."]
ROWS = [
    ["Terminal", "Kind", "Fee"],
    ["Northquay", "dry", "45"],
    ["Northquay", "reefer", "60"],
    ["Millpier", "tank", "75"],
]
CHROME = [
    "Skip to content", "Latest news from the wiki", "Imprint and privacy", "Accept all cookies",
    "Share this page",
    "Related articles about cranes", "Sign up for our newsletter", "You are here",
]  # fmt: skip
LINKS = "".join(
    f'<li><a href="/{name}">{name}</a></li>'
    for name in ("Start", "People", "Tariffs", "Safety", "Log in")
)


class Expected(NamedTuple):
    """What a reader should find in a file: runs of words, headings, rows; and what it should leave
    out.
    """

    content: Sequence[str]
    chrome: Sequence[str] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


class Score(NamedTuple):
    """Found and wanted, of words, pairs of words, headings, rows and chrome; and seconds."""

    words: tuple[int, int]
    pairs: tuple[int, int]
    headings: tuple[int, int]
    rows: tuple[int, int]
    chrome: tuple[int, int]
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    folder = parser.parse_args().folder
    if folder:
        print(compared(folder, expectations(folder)))
        return
    with TemporaryDirectory() as made:
        print(compared(Path(made), make(Path(made))))


def expectations(folder: Path) -> dict[str, Expected]:
    """What a reader should find in the files of a folder, by their paths in it."""
    if (folder / "expected.json").exists():
        named = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        return {name: Expected(**({"content": []} | entry)) for name, entry in named.items()}
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
    expected = {name: _pdfium(path) for name, path in files.items() if path.suffix == ".pdf"}
    for name, path in files.items():
        if path.suffix == ".rtf":
            expected[name] = _libreoffice(path.with_suffix(".fodt"))
    return {name: wanted for name, wanted in expected.items() if any(wanted.content)}


def _pdfium(path: Path) -> Expected:
    """The words of a PDF's pages without the lines that most pages have, digits aside."""
    import pypdfium2

    try:
        pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)]
    except pypdfium2.PdfiumError:
        return Expected([])
    # pdfium's mark for a hyphen at a line's end
    lines = [page.replace("\ufffe", "").splitlines() for page in pages]
    seen = Counter(shape for page in lines for shape in {_shape(line) for line in page})
    running = {shape for shape, count in seen.items() if count > 2 and count * 2 > len(pages)}
    content = [[line for line in page if _shape(line) not in running] for page in lines]
    return Expected(["\n".join(page) for page in content])


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", line.strip())


def _libreoffice(path: Path) -> Expected:
    from lxml import etree

    parser = etree.XMLParser(huge_tree=True, resolve_entities=False)
    body = etree.parse(path, parser).getroot().find("{*}body")
    runs = [run for paragraph in body.iter(f"{TEXT}p", f"{TEXT}h") for run in _runs(paragraph)]
    rows = [
        [" ".join(" ".join(_runs(cell)).split()) for cell in row.iterchildren("{*}table-cell")]
        for row in body.iter(f"{TABLE}table-row")
    ]
    headings = [" ".join(_runs(heading)) for heading in body.iter(f"{TEXT}h")]
    return Expected(
        runs,
        headings=[heading for heading in headings if heading.strip()],
        rows=[row for row in rows if sum(map(bool, row)) > 1],
    )


def _runs(element: Any) -> list[str]:
    """The text of a paragraph or a cell, in parts where a note or a picture is between."""
    return "".join(_text(element)).split("\n")


def _text(element: Any) -> Iterator[str]:
    yield (element.text or "").replace("\n", " ")
    for child in element:
        name = child.tag.partition("}")[2]
        if name in APART:
            yield "\n"
        else:
            yield " " * (name in ("p", "h", "s", "tab", "line-break"))
            yield from _text(child)
        yield (child.tail or "").replace("\n", " ")


def compared(folder: Path, expected: dict[str, Expected]) -> str:
    """The table: for each kind of file a row a reader, and all kinds together at the end."""
    kinds = sorted({Path(name).suffix for name in expected})
    scores = {
        reader: {
            name: scored(read, folder / name, wanted) for name, wanted in sorted(expected.items())
        }
        for reader, read in READERS.items()
    }
    lines = [HEAD.format("format"), RULE]
    for kind in [*kinds, "all"]:
        for reader, all_scores in scores.items():
            some = [
                score for name, score in all_scores.items() if kind in ("all", Path(name).suffix)
            ]
            lines.append(_row(kind, reader, some))
    return "\n".join(lines)


def scored(read: Callable[[Path], str], path: Path, wanted: Expected) -> Score | None:
    """What a reader made of a file; None where it refused it."""
    try:
        read(path)  # the first reading of a kind imports its library
        started = time.perf_counter()
        text = read(path)
    except ModuleNotFoundError:
        raise  # a library that is missing refuses nothing
    except Exception:
        return None
    seconds = time.perf_counter() - started
    text = MARKS.sub("", TAG.sub(" ", text))
    flat = _flat(text)
    headings = [line for line in FENCED.sub("", text).split("\n") if line.lstrip().startswith("#")]
    tables = Counter(
        _squeezed(_cells(line)) for line in text.split("\n") if line.lstrip().startswith("|")
    )
    runs = [WORD.findall(run) for run in wanted.content]
    words = WORD.findall(text)
    rows = Counter(_squeezed(row) for row in wanted.rows)
    return Score(
        _shared(Counter(word for run in runs for word in run), Counter(words)),
        _shared(Counter(pair for run in runs for pair in pairwise(run)), Counter(pairwise(words))),
        (
            sum(any(_flat(title) in _flat(line) for line in headings) for title in wanted.headings),
            len(wanted.headings),
        ),
        _shared(rows, tables),
        (sum(_flat(run) in flat for run in wanted.chrome), len(wanted.chrome)),
        seconds,
    )


def _shared(wanted: Counter[Any], found: Counter[Any]) -> tuple[int, int]:
    return (wanted & found).total(), wanted.total()


def _flat(text: str) -> str:
    return f" {' '.join(WORD.findall(text))} "


def _cells(line: str) -> list[str]:
    return line.strip().strip("|").split("|")


def _squeezed(cells: Sequence[str]) -> tuple[str, ...]:
    """The letters and digits of a row's cells; empty cells at its end do not count."""
    texts = ["".join(WORD.findall(cell)) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return tuple(texts)


def _row(kind: str, reader: str, scores: Sequence[Score | None]) -> str:
    found = [score for score in scores if score is not None]  # a refusal is in "files read" only
    shares = [
        _share([getattr(score, name) for score in found])
        for name in ("words", "pairs", "headings", "rows", "chrome")
    ]
    speed = f"{1000 * sum(score.seconds for score in found) / len(found):.0f}" if found else ""
    return f"| {kind} | {reader} | {len(found)}/{len(scores)} | {' | '.join(shares)} | {speed} |"


def _share(pairs: Sequence[tuple[int, int]]) -> str:
    wanted = sum(total for _, total in pairs)
    share = 100 * sum(part for part, _ in pairs) / wanted if wanted else 0
    return f"{share:.1f}".removesuffix(".0") + " %" if wanted else ""


def ours(path: Path) -> str:
    try:
        return parse(path.name, path.read_bytes()).text
    except UnreadableError as error:
        raise ValueError(str(error)) from None


def markitdown(path: Path) -> str:
    from markitdown import MarkItDown

    return str(MarkItDown(enable_plugins=False).convert(str(path)).text_content)


def xberg(path: Path) -> str:
    from xberg import ExtractInput, ExtractionConfig, extract

    wanted = ExtractionConfig(output_format="markdown", use_cache=False)
    result = asyncio.run(extract(ExtractInput(kind="uri", uri=str(path.absolute())), wanted))
    return str(result.results[0].content)


def pandoc(path: Path) -> str:
    command = ["pandoc", "--sandbox", "--wrap=none", "--to=gfm", str(path)]
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout.decode()


READERS: dict[str, Callable[[Path], str]] = {"ours": ours, "markitdown": markitdown, "xberg": xberg}
if shutil.which("pandoc"):
    READERS["pandoc"] = pandoc


def make(folder: Path) -> dict[str, Expected]:
    """Write one document in every format, and hard cases of some; what each of them says."""
    whole = Expected([TITLE, *SECTIONS.values(), *ITEMS], (), [TITLE, *SECTIONS], ROWS)
    expected = {}
    for name, write in WHOLE.items():
        (folder / name).write_bytes(write())
        expected[name] = whole._replace(chrome=CHROME) if name.startswith("page-") else whole
    for name, (text, wanted) in HARD.items():
        (folder / name).write_bytes(text.encode())
        expected[name] = wanted
    return expected


def _body(table: str = "") -> str:
    parts = [f"<h2>{title}</h2><p>{text}</p>" for title, text in SECTIONS.items()]
    items = "".join(f"<li>{item}</li>" for item in ITEMS)
    return f"<h1>{TITLE}</h1>{''.join(parts)}<ul>{items}</ul>{table or _table()}"


def _table() -> str:
    head, *rows = ROWS
    lines = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def _spanned() -> str:
    return (
        _table()
        .replace("<td>Northquay</td>", "<td rowspan=2>Northquay</td>", 1)
        .replace("<td>Northquay</td>", "", 1)
    )


def _page(body: str) -> bytes:
    return f"<html><head><title>{TITLE}</title></head><body>{body}</body></html>".encode()


def _framed(wrap: str, names: Sequence[str]) -> bytes:
    """A page in a frame of seven boxes; `names` are their opening tags, `wrap` is the tag around
    the content.
    """
    skip, news, imprint, cookies, share, related, letter, here = CHROME
    top, side, foot, banner, social, more, form = names

    def box(tag: str, inner: str) -> str:
        return f"<{tag}>{inner}</{tag.split()[0]}>"

    return _page(
        box(top, f'<a href="#c">{skip}</a><p>{here}</p><ul>{LINKS}</ul>')
        + box(banner, f"<p>{cookies}</p><button>OK</button>")
        + box(wrap, _body(_spanned()))
        + box(social, f"<p>{share}</p>")
        + box(more, f'<h3>{related}</h3><ul><li><a href="/1">How tall is a crane?</a></li></ul>')
        + box(side, f"<h3>{news}</h3><p>Ann moved a page.</p><ul>{LINKS}</ul>")
        + box(form, f"<p>{letter}</p><input>")
        + box(foot, f"<p>{imprint}</p><ul>{LINKS}</ul>")
    )


def _docx() -> bytes:
    from docx import Document

    document, stream = Document(), io.BytesIO()
    document.add_heading(TITLE, 0)
    for title, text in SECTIONS.items():
        document.add_heading(title, 1)
        document.add_paragraph(text)
    for item in ITEMS:
        document.add_paragraph(item, style="List Bullet")
    table = document.add_table(rows=len(ROWS), cols=len(ROWS[0]))
    for row, cells in zip(table.rows, ROWS, strict=True):
        for cell, value in zip(row.cells, cells, strict=True):
            cell.text = value
    document.save(stream)
    return stream.getvalue()


def _pptx() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    deck, stream = Presentation(), io.BytesIO()
    for title, text in [(TITLE, "\n".join(ITEMS)), *SECTIONS.items()]:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text_frame.text = title, text
    size = Inches(1), Inches(3), Inches(6), Inches(2)
    table = slide.shapes.add_table(len(ROWS), len(ROWS[0]), *size).table
    for row, cells in enumerate(ROWS):
        for column, value in enumerate(cells):
            table.cell(row, column).text = value
    deck.save(stream)
    return stream.getvalue()


def _pdf() -> bytes:
    from reportlab.lib import colors
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

    styles, stream = getSampleStyleSheet(), io.BytesIO()
    story: list[Any] = [Paragraph(TITLE, styles["Title"])]
    for title, text in SECTIONS.items():
        story += [Paragraph(title, styles["Heading2"]), Paragraph(text, styles["BodyText"])]
    story += [Paragraph(f"• {item}", styles["BodyText"]) for item in ITEMS]
    story.append(Table(ROWS, style=[("GRID", (0, 0), (-1, -1), 1, colors.black)]))
    SimpleDocTemplate(stream).build(story)
    return stream.getvalue()


def _odt() -> bytes:
    names = ("office", "text", "table")
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names
    )
    parts = [f'<text:h text:outline-level="1">{TITLE}</text:h>']
    for title, text in SECTIONS.items():
        parts.append(
            f'<text:h text:outline-level="2">{title}</text:h><text:p>{escape(text)}</text:p>'
        )
    items = "".join(f"<text:list-item><text:p>{item}</text:p></text:list-item>" for item in ITEMS)
    cells = [
        [f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in row]
        for row in ROWS
    ]
    rows = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in cells)
    body = f"{''.join(parts)}<text:list>{items}</text:list><table:table>{rows}</table:table>"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "content.xml",
            f'<office:document-content {spaces} office:version="1.3">'
            f"<office:body><office:text>{body}</office:text>"
            "</office:body></office:document-content>",
        )
    return stream.getvalue()


def _rtf() -> bytes:
    parts = [rf"\pard\outlinelevel0 {TITLE}\par"]
    for title, text in SECTIONS.items():
        parts.append(rf"\pard\outlinelevel1 {title}\par\pard {text}\par")
    parts += [rf"\pard{{\listtext\'b7\tab}}{item}\par" for item in ITEMS]
    widths = r"\cellx3000\cellx6000\cellx9000"
    for row in ROWS:
        cells = "".join(rf"{cell}\cell " for cell in row)
        parts.append(rf"\trowd{widths}\pard\intbl {cells}\row")
    return rf"{{\rtf1\ansi {' '.join(parts)}}}".encode("ascii")


def _mail() -> bytes:
    message = email.message.EmailMessage()
    message["Subject"], message["From"] = TITLE, "ann@port.example"
    message.set_content(f"<html><body>{_body()}</body></html>", subtype="html")
    return message.as_bytes()


def _notebook() -> bytes:
    cell = {"cell_type": "markdown", "metadata": {}, "source": _markdown().decode()}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    return json.dumps(book).encode()


def _markdown() -> bytes:
    parts = [f"# {TITLE}", *(f"## {title}\n\n{text}" for title, text in SECTIONS.items())]
    head, *rows = [f"| {' | '.join(row)} |" for row in ROWS]
    table = "\n".join([head, "| --- | --- | --- |", *rows])
    return "\n\n".join([*parts, "\n".join(f"- {item}" for item in ITEMS), table]).encode()


def _lightweight(marks: Sequence[str], table: Sequence[str]) -> bytes:
    parts = [
        f"{marks[0]} {TITLE}",
        *(f"{marks[1]} {title}\n\n{text}" for title, text in SECTIONS.items()),
    ]
    return "\n\n".join(
        [*parts, "\n".join(f"{marks[2]} {item}" for item in ITEMS), "\n".join(table)]
    ).encode()


def _rst() -> bytes:
    parts = [f"{TITLE}\n{'=' * len(TITLE)}"]
    parts += [f"{title}\n{'-' * len(title)}\n\n{text}" for title, text in SECTIONS.items()]
    rule = "=========  ======  ==="
    head, *rows = [f"{a:9}  {b:6}  {c}" for a, b, c in ROWS]
    table = "\n".join([rule, head, rule, *rows, rule])
    return "\n\n".join([*parts, "\n".join(f"- {item}" for item in ITEMS), table]).encode()


# The opening tags of a frame's boxes: head, side, foot, cookies, sharing, related pages,
# newsletter.
SEMANTIC = ["header", "aside", "footer", 'div class="cookie-consent"', 'section class="social"']
SEMANTIC += ['section class="related"', 'form class="newsletter"']
ROLES = [f'div role="{role}"' for role in ("banner", "complementary", "contentinfo", "dialog")]
ROLES += [f'div class="{name}"' for name in ("share-links", "related-posts", "newsletter")]
BLOG = [
    'div id="masthead"',
    'div id="secondary" class="widget-area"',
    'div id="colophon" class="site-footer"',
]
BLOG += [
    'div id="cookie-law-info-bar"',
    'div class="sharedaddy"',
    'div class="jp-relatedposts"',
    'div class="widget"',
]
WHOLE: dict[str, Callable[[], bytes]] = {
    "plain.html": lambda: _page(_body()),
    "layout.html": lambda: _page(f'<table role="presentation"><tr><td>{_body()}</td></tr></table>'),
    "page-semantic.html": lambda: _framed("main", SEMANTIC),
    "page-roles.html": lambda: _framed("div", ROLES),
    "page-blog.html": lambda: _framed("article", BLOG),
    "file.docx": _docx,
    "file.pptx": _pptx,
    "file.pdf": _pdf,
    "file.odt": _odt,
    "file.rtf": _rtf,
    "file.eml": _mail,
    "file.md": _markdown,
    "file.ipynb": _notebook,
    "file.rst": _rst,
    "file.adoc": lambda: _lightweight(
        ["=", "==", "*"], ["|===", *(f"|{'|'.join(row)}" for row in ROWS), "|==="]
    ),
    "file.org": lambda: _lightweight(["*", "**", "-"], [f"| {' | '.join(row)} |" for row in ROWS]),
}
RAISED = "<p>10<sup>6</sup> pulses, 45<sup>2</sup> euro, 30<sup>1</sup> days, H<sub>2</sub>O</p>"
HYPHENS = "<p>Die Lie&shy;ge&shy;platz&shy;ge&shy;bühr und de&#8203;murrage</p>"
LATE_QUOTES = 'id,note\n1,a\n2,b\n3,"a ""big"" crane, blue"\n'
HARD = {
    "numbers.html": (RAISED, Expected(["10 6 pulses", "45 2 euro", "30 1 days", "H2O"])),
    "hyphens.html": (HYPHENS, Expected(["Liegeplatzgebühr und demurrage"])),
    "chinese.html": ("<p>大风时\n起重机停止</p>", Expected(["大风时起重机停止"])),
    "quotes.csv": (LATE_QUOTES, Expected([], rows=[["3", 'a "big" crane, blue']])),
    "lists.csv": (
        "port,goods\nRTM,tea;rice;nuts\nSIN,oil;gas;coal\n",
        Expected([], rows=[["RTM", "tea;rice;nuts"]]),
    ),
    "preamble.csv": (
        "Fees of 2026\n\nPort;Fee;From\nRTM;45;May\n",
        Expected([], rows=[["Port", "Fee", "From"]]),
    ),
}

if __name__ == "__main__":
    main()
