"""Texts, sheets and slides of LibreOffice."""

from __future__ import annotations

import io
import zipfile

from argot.documents.formats.reader import parse

SPACES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"'
)
STYLES = (
    '<office:automatic-styles><style:style style:name="T1"><style:text-properties style:text-position="super 58%"/>'
    '</style:style><style:style style:name="P1" style:parent-style-name="Title"/>'
    '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1" '
    'style:num-suffix="." text:start-value="4"/><text:list-level-style-number text:level="2" style:num-format="a" '
    'style:num-prefix="(" style:num-suffix=")"/></text:list-style><text:outline-style>'
    '<text:outline-level-style text:level="1" style:num-format="1"/><text:outline-level-style text:level="2" '
    'style:num-format="1" text:display-levels="2"/></text:outline-style></office:automatic-styles>'
)


def document(kind: str, body: str, meta: str = "") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        root = f"<office:document-content {SPACES}>{STYLES}<office:body>{body}</office:body></office:document-content>"
        archive.writestr("content.xml", root)
        archive.writestr(
            "meta.xml",
            f"<office:document-meta {SPACES}><office:meta>{meta}</office:meta></office:document-meta>",
        )
    return stream.getvalue()


def odt(body: str, meta: str = "") -> bytes:
    return document("text", f"<office:text>{body}</office:text>", meta)


def items(*texts: str, deeper: str = "", attributes: str = "") -> str:
    inner = "".join(f"<text:list-item><text:p>{text}</text:p></text:list-item>" for text in texts)
    return f'<text:list text:style-name="L1" {attributes}>{inner.removesuffix("</text:list-item>")}{deeper}</text:list-item></text:list>'


def test_lists_have_the_numbers_that_are_shown() -> None:
    more = items("lock", attributes='text:continue-numbering="true"')
    body = items("Open", "Close", deeper=items("door", "seal")) + "<text:p>Then</text:p>" + more
    assert parse("a.odt", odt(body)).text == (
        "4. Open\n5. Close\n\n   - (a) door\n   - (b) seal\n\nThen\n\n6. lock"
    )


def test_headings_have_the_numbers_that_are_shown() -> None:
    levels = (1, 2, 2, 1, 2, 0)
    body = "".join(f'<text:h text:outline-level="{level}">Fees</text:h>' for level in levels)
    found = [line.removesuffix(" Fees") for line in parse("a.odt", odt(body)).text.split("\n\n")]
    assert found == ["# 1", "## 1.1", "## 1.2", "# 2", "## 2.1", "# 3"]


def test_headings_lists_and_notes() -> None:
    text = parse(
        "letter.odt",
        odt(
            '<text:p text:style-name="P1">Depot</text:p><text:h text:outline-level="2">Hours</text:h>'
            "<text:p>From<text:s/>five<text:note><text:note-citation>1</text:note-citation><text:note-body>"
            "<text:p>Winter: six.</text:p></text:note-body></text:note> on.</text:p>"
            "<text:list><text:list-item><text:p>Gate</text:p><text:list><text:list-item><text:p>four</text:p>"
            "</text:list-item></text:list></text:list-item></text:list>"
            '<text:p>10<text:span text:style-name="T1">6</text:span> pulses</text:p>'
        ),
    ).text
    assert (
        text
        == "# Depot\n\n## 1.1 Hours\n\nFrom five [1] on.\n\n- Gate\n\n  - four\n\n10^6 pulses\n\n[1] Winter: six."
    )


def test_deleted_text_and_comments_are_left_out() -> None:
    body = (
        "<text:tracked-changes><text:p>Old.</text:p></text:tracked-changes>"
        "<text:p>New<office:annotation><text:p>Check!</text:p></office:annotation>.</text:p>"
    )
    assert parse("a.odt", odt(body)).text == "New."


def test_tables_with_spans() -> None:
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>"
    rows = [
        cell.format(' table:number-rows-spanned="2"', "North") + cell.format("", "dry"),
        "<table:covered-table-cell/>" + cell.format("", "reefer"),
    ]
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    text = parse("a.odt", odt(f"<table:table>{body}</table:table>")).text
    assert text == "| North | dry |\n| --- | --- |\n| North | reefer |"


def test_sheets_become_sections_without_their_empty_edges() -> None:
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    empty = '<table:table-cell table:number-columns-repeated="16000"/>'
    rows = [
        f"{cell.format(a)}{empty}{cell.format(b)}" for a, b in (("Port", "Fee"), ("RTM", "45 €"))
    ]
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    tail = f'<table:table-row table:number-rows-repeated="1000000">{empty}</table:table-row>'
    sheet = f'<office:spreadsheet><table:table table:name="Fees">{body}{tail}</table:table></office:spreadsheet>'
    text = parse("fees.ods", document("spreadsheet", sheet)).text
    assert text == "## Fees\n\n| Port | Fee |\n| --- | --- |\n| RTM | 45 € |"


def test_slides_become_sections() -> None:
    frame = '<draw:frame presentation:class="{}"><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>'
    page = f"<draw:page>{frame.format('title', 'Night desk')}{frame.format('outline', 'Answers after six')}</draw:page>"
    deck = f"<office:presentation>{page}<draw:page/>{page}</office:presentation>"
    read, slide = (
        parse("deck.odp", document("presentation", deck)),
        "## Night desk\n\nAnswers after six",
    )
    assert read.text == f"{slide}\n\n{slide}"
    assert read.pages == [0, len(slide) + 2, len(slide) + 2]


def test_properties_become_metadata() -> None:
    meta = "<dc:title>Depot</dc:title><meta:initial-creator>Ann</meta:initial-creator><dc:date>2026-03-01T10:20:30.4</dc:date>"
    parsed = parse("a.odt", odt("<text:p>Open.</text:p>", meta))
    assert (parsed.title, parsed.metadata) == ("Depot", {"author": "Ann", "date": "2026-03-01"})
