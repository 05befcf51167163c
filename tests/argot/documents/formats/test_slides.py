"""Decks become Markdown: charts, diagrams, shows, titles."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from argot.documents.formats.office import NAMES, diagram_lines
from argot.documents.formats.slides import read_pptx


def deck(fill: Any) -> bytes:
    from pptx import Presentation

    slides, stream = Presentation(), io.BytesIO()
    fill(slides)
    slides.save(stream)
    return stream.getvalue()


def chart(slides: Any) -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    data = CategoryChartData()
    data.categories = ["Northquay", "Millpier"]
    data.add_series("May", (28, 31.5))
    data.add_series("June", (24, None))
    slide = slides.slides.add_slide(slides.slide_layouts[5])
    slide.shapes.title.text = "Moves per hour"
    place = (Inches(1), Inches(1), Inches(4), Inches(3))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data)


def test_a_chart_becomes_the_table_of_its_values() -> None:
    assert read_pptx(deck(chart)).text == (
        "## Moves per hour\n\n|  | May | June |\n| --- | --- | --- |\n| Northquay | 28 | 24 |\n| Millpier | 31.5 |  |"
    )


def test_a_diagram_becomes_a_list_without_its_placeholders() -> None:
    point = "<dgm:pt{}><dgm:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></dgm:t></dgm:pt>"
    points = point.format("", "Photograph the damage") + point.format(' type="pres"', "[Text]")
    points += point.format("", "Send the notice")
    xml = f'<dgm:dataModel xmlns:dgm="{NAMES["dgm"]}" xmlns:a="{NAMES["a"]}"><dgm:ptLst>{points}</dgm:ptLst></dgm:dataModel>'
    assert diagram_lines(xml.encode()) == ["Photograph the damage", "Send the notice"]


@pytest.mark.parametrize("kind", ["slideshow", "template"])
def test_shows_and_templates_are_read(kind: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(deck(chart))) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b"presentation.main", f"{kind}.main".encode()))
    assert read_pptx(stream.getvalue()).text.startswith("## Moves per hour")


def test_a_picture_in_the_place_of_a_title_is_no_matter() -> None:
    from PIL import Image

    def fill(slides: Any) -> None:
        picture = io.BytesIO()
        Image.new("L", (4, 4)).save(picture, "png")
        slide = slides.slides.add_slide(slides.slide_layouts[8])
        slide.placeholders[2].text = "The depot opens at six."
        slide.placeholders[1].insert_picture(picture)
        slide.shapes._spTree.remove(slide.shapes.title._element)
        slide.placeholders[1]._element.nvPicPr.nvPr.ph.set("type", "title")
        slide.placeholders[1]._element.nvPicPr.nvPr.ph.set("idx", "0")

    assert read_pptx(deck(fill)).text == "The depot opens at six."


def test_merged_cells_are_read_once() -> None:
    from pptx.util import Inches

    def fill(slides: Any) -> None:
        slide = slides.slides.add_slide(slides.slide_layouts[6])
        table = slide.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
        table.cell(0, 0).merge(table.cell(1, 0))
        for row, column, text in ((0, 0, "Northquay"), (0, 1, "dry"), (1, 1, "reefer")):
            table.cell(row, column).text = text

    assert read_pptx(deck(fill)).text == "| Northquay | dry |\n| --- | --- |\n|  | reefer |"


def test_text_that_looks_like_markdown_stays_text() -> None:
    def fill(slides: Any) -> None:
        box = slides.slides.add_slide(slides.slide_layouts[6]).shapes.add_textbox(0, 0, 99, 99)
        box.text_frame.text = "# restart the crane"

    assert read_pptx(deck(fill)).text == "\\# restart the crane"


def test_each_slide_has_its_place_in_the_text() -> None:
    def fill(slides: Any) -> None:
        for words in ("Open the valve.\x0bThen wait.", "", "ﬁnal: call the desk", ""):
            box = slides.slides.add_slide(slides.slide_layouts[6]).shapes.add_textbox(0, 0, 99, 99)
            box.text_frame.text = words

    found = read_pptx(deck(fill))
    assert found.text == "Open the valve. Then wait.\n\nfinal: call the desk"
    third = found.text.index("final")
    assert found.pages == [0, third, third, len(found.text) + 2]
