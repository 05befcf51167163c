"""Workbooks become Markdown tables of what they show."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

from argot.documents.formats.reader import parse
from argot.documents.formats.sheets import read_xlsx


def book(rows: list[list[Any]], formats: dict[str, str] | None = None) -> bytes:
    from openpyxl import Workbook

    workbook, stream = Workbook(), io.BytesIO()
    for row in rows:
        workbook.active.append(row)
    for place, form in (formats or {}).items():
        workbook.active[place].number_format = form
    workbook.save(stream)
    return stream.getvalue()


def text(rows: list[list[Any]], formats: dict[str, str] | None = None) -> str:
    return read_xlsx(book(rows, formats)).text.removeprefix("## Sheet\n\n")


def test_colour_to_the_sheets_edge_makes_no_columns() -> None:
    from openpyxl import Workbook
    from openpyxl.styles import PatternFill

    workbook, stream = Workbook(), io.BytesIO()
    for row in (["Port", "Fee"], ["Northquay", 45]):
        workbook.active.append(row)
    for column in range(1, 16385):
        workbook.active.cell(1, column).fill = PatternFill("solid", fgColor="DDDDDD")
    workbook.save(stream)
    assert (
        read_xlsx(stream.getvalue()).text
        == "## Sheet\n\n| Port | Fee |\n| --- | --- |\n| Northquay | 45 |"
    )


def test_text_boxes_follow_the_tables_of_their_sheet() -> None:
    data, stream = book([["Port", "Fee"], ["Northquay", 45]]), io.BytesIO()
    link = '<Relationship Id="d" Type="t/drawing" Target="../drawings/drawing1.xml"/>'
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    line = "<a:p><a:r><a:t>Fees are </a:t></a:r><a:r><a:t>net.</a:t></a:r></a:p>"
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr(
            "xl/worksheets/_rels/sheet1.xml.rels",
            f'<Relationships xmlns="{links}">{link}</Relationships>',
        )
        new.writestr(
            "xl/drawings/drawing1.xml",
            f'<x xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">{line}</x>',
        )
    assert read_xlsx(stream.getvalue()).text.endswith("| Northquay | 45 |\n\nFees are net.")


def test_percentages_are_read_as_they_are_shown() -> None:
    assert "| Northquay | 7.5% |" in text(
        [["Port", "Discount"], ["Northquay", 0.075]], {"B2": "0.0%"}
    )


def test_a_blank_row_within_a_table_does_not_end_it() -> None:
    rows = [["Port", "Fee"], ["Northquay", 45], [], ["Millpier", 60]]
    assert text(rows) == "| Port | Fee |\n| --- | --- |\n| Northquay | 45 |\n| Millpier | 60 |"


def test_a_table_with_its_own_header_begins_after_a_blank_row() -> None:
    rows = [["Port", "Fee"], ["Northquay", 45], [], ["Ship", "Tons"], ["Aurora", 900]]
    assert text(rows).count("| --- | --- |") == 2


def test_the_strict_form_of_the_standard_is_read() -> None:
    stream = io.BytesIO()
    data = book([["Port", "Fee"], ["Northquay", 45]])
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for family in (b"spreadsheetml", b"officeDocument"):
                loose = b"http://schemas.openxmlformats.org/" + family + b"/2006/"
                content = content.replace(loose, b"http://purl.oclc.org/ooxml/" + family + b"/")
            new.writestr(name, content)
    assert "| Northquay | 45 |" in read_xlsx(stream.getvalue()).text


def changed(change: Callable[[str, bytes], tuple[str, bytes]]) -> bytes:
    """A workbook whose files have other names and contents."""
    data, stream = book([["Port", "Fee"], ["Northquay", 45]]), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(*change(name, old.read(name)))
    return stream.getvalue()


def test_styles_with_alternatives_for_new_programs_are_read() -> None:
    space = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    fill = b"<fill><patternFill/></fill>"
    alternative = (
        f'<mc:AlternateContent xmlns:mc="{space}"><mc:Choice Requires="v2"><odd/></mc:Choice>'
        f"<mc:Fallback>{fill.decode()}</mc:Fallback></mc:AlternateContent>"
    ).encode()
    data = changed(lambda name, content: (name, content.replace(fill, alternative)))
    assert "| Northquay | 45 |" in read_xlsx(data).text


def test_a_workbook_with_backslashes_in_its_names_is_read() -> None:
    data = changed(lambda name, content: (name.replace("/", "\\"), content))
    assert "| Northquay | 45 |" in parse("fees.xlsx", data).text


def test_a_line_of_a_sheet_that_looks_like_markdown_stays_text() -> None:
    assert text([["# of moves"]]) == "\\# of moves"
