"""PDFs become Markdown: words, order, headings, tables, and what can't be read."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.reader import parse
from argot.documents.formats.text import clean_parts

LONG = "The berth beside the north pier is closed to deep ships while divers repair the quay wall at low tide"


def read(draw: Callable[[Any], None], **about: str) -> Parsed:
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream)
    if about:
        canvas.setTitle(about.get("title", ""))
        canvas.setAuthor(about.get("author", ""))
    draw(canvas)
    canvas.save()
    return parse("a.pdf", stream.getvalue())


def lines(canvas: Any, texts: list[str], x: float = 60, y: float = 700, pitch: float = 14) -> None:
    for number, text in enumerate(texts):
        canvas.drawString(x, y - number * pitch, text)


def grid(
    canvas: Any, rows: list[list[str]], xs: list[float], y: float = 600, pitch: float = 20
) -> None:
    for number, row in enumerate(rows):
        for x, text in zip(xs, row, strict=True):
            canvas.drawString(x, y - number * pitch, text)


def test_text_that_a_form_draws_is_read() -> None:
    def draw(canvas: Any) -> None:
        canvas.beginForm("body")
        canvas.drawString(60, 700, "A wash takes forty minutes and costs ninety euro.")
        canvas.endForm()
        canvas.doForm("body")

    assert read(draw).text == "A wash takes forty minutes and costs ninety euro."


def test_what_was_filled_into_a_form_is_read() -> None:
    def draw(canvas: Any) -> None:
        canvas.drawString(60, 700, "Name of the haulier:")
        canvas.acroForm.textfield(value="Millpier Trucks", x=60, y=660, width=200, height=20)

    assert "Millpier Trucks" in read(draw).text


@pytest.mark.parametrize("pitch", [14, 22, 30])
def test_lines_of_a_paragraph_are_joined_at_any_spacing(pitch: float) -> None:
    texts = [f"{number} {LONG}" for number in ("first", "second", "third", "fourth")]
    assert read(lambda canvas: lines(canvas, texts, pitch=pitch)).text == " ".join(texts)


def test_a_wider_gap_and_a_short_line_end_a_paragraph() -> None:
    def draw(canvas: Any) -> None:
        lines(canvas, [LONG, "and at night.", LONG, "and in fog."])
        lines(canvas, [LONG], y=620)

    assert read(draw).text == f"{LONG} and at night.\n\n{LONG} and in fog.\n\n{LONG}"


def test_first_lines_farther_left_than_others_begin_paragraphs() -> None:
    def draw(canvas: Any) -> None:
        for number in range(3):
            canvas.drawString(60, 700 - 42 * number, f"{number} {LONG}")
            lines(canvas, [LONG, "and at night."], x=72, y=686 - 42 * number)

    whole = [f"{number} {LONG} {LONG} and at night." for number in range(3)]
    assert read(draw).text == "\n\n".join(whole)


def test_what_is_drawn_over_other_words_stays_whole() -> None:
    def draw(canvas: Any) -> None:
        canvas.drawString(60, 700, "Name of the haulier in capitals")
        canvas.drawString(70, 698, "MILLPIER TRUCKS")

    assert read(draw).text == "Name of the haulier in capitals MILLPIER TRUCKS"


def test_a_hyphen_at_a_lines_end_is_taken_out() -> None:
    assert read(
        lambda canvas: lines(canvas, [f"{LONG} con-", "tainers stand there."])
    ).text.endswith("low tide containers stand there.")


def test_letters_drawn_twice_are_read_once() -> None:
    def draw(canvas: Any) -> None:
        for number, letter in enumerate("Alarm 277: hall full"):
            canvas.drawString(60 + 7 * number, 700, letter)
            canvas.drawString(60.3 + 7 * number, 700, letter)

    assert read(draw).text.replace(" ", "") == "Alarm277:hallfull"


def test_raised_digits_do_not_join_the_number_before_them() -> None:
    def draw(canvas: Any) -> None:
        text = canvas.beginText(60, 700)
        text.textOut("At most 10")
        text.setFont("Helvetica", 7)
        text.setRise(5)
        text.textOut("6")
        text.setFont("Helvetica", 12)
        text.setRise(0)
        text.textOut(" particles of CO")
        text.setFont("Helvetica", 7)
        text.setRise(-3)
        text.textOut("2")
        text.setFont("Helvetica", 12)
        text.setRise(0)
        text.textOut(" per m")
        text.setFont("Helvetica", 7)
        text.setRise(5)
        text.textOut("3")
        canvas.drawText(text)

    assert read(draw).text == "At most 10^6 particles of CO2 per m³"


def test_columns_are_read_one_after_the_other() -> None:
    def draw(canvas: Any) -> None:
        canvas.setFont("Helvetica", 9)
        for x, word, shift in ((60, "left", 0), (320, "right", 5)):
            texts = [
                f"The {word} column has this line with number {number} in it"
                for number in range(20)
            ]
            lines(canvas, texts, x, 700 - shift, 11)
        canvas.drawString(
            60,
            740,
            "A line above both of the columns that runs from one side of the page to the other, as in papers",
        )

    text = read(draw).text
    assert text.startswith("A line above")
    assert text.index("left column has this line with number 19") < text.index(
        "right column has this line with number 0"
    )


def test_a_table_without_rules_keeps_its_rows_and_its_gaps() -> None:
    rows = [
        ["Terminal", "Dry", "Reefer"],
        ["Northquay", "5", "2"],
        ["Millpier", "", "4"],
        ["Easthaven", "6", ""],
    ]
    assert read(lambda canvas: grid(canvas, rows, [60, 200, 300])).text == (
        "| Terminal | Dry | Reefer |\n| --- | --- | --- |\n| Northquay | 5 | 2 |\n| Millpier |  | 4 |\n| Easthaven | 6 |  |"
    )


def test_cells_of_several_lines_stay_whole() -> None:
    def draw(canvas: Any) -> None:
        for number in range(4):
            canvas.drawString(60, 600 - 40 * number, f"GT-10{number}")
            lines(
                canvas, [f"Barrier arm {number} does", "not rise at once"], 160, 600 - 40 * number
            )

    assert "| GT-102 | Barrier arm 2 does not rise at once |" in read(draw).text


def test_a_table_with_rules_keeps_small_print_apart() -> None:
    def draw(canvas: Any) -> None:
        canvas.setFont("Helvetica", 6)
        canvas.grid([60, 200, 300], [560, 580, 600])
        for x, row in ((64, ["Service", "Wash", "of", "tanks"]), (204, ["Charge", "85", "euro"])):
            canvas.drawString(x, 586, row[0])
            for number, word in enumerate(row[1:]):
                canvas.drawString(x + 16.5 * number, 566, word)

    assert read(draw).text == "| Service | Charge |\n| --- | --- |\n| Wash of tanks | 85 euro |"


def test_turned_text_is_read_in_its_own_direction_and_is_no_heading() -> None:
    def draw(canvas: Any) -> None:
        lines(canvas, [LONG, LONG])
        canvas.setFont("Helvetica", 20)
        canvas.rotate(90)
        canvas.drawString(200, -30, "Register 2024.08817")

    assert read(draw).text == f"{LONG} {LONG}\n\nRegister 2024.08817"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_on_its_side_is_read(turn: int) -> None:
    def draw(canvas: Any) -> None:
        canvas.setPageRotation(turn)
        canvas.translate(300, 400)
        canvas.rotate(turn)
        lines(canvas, ["Shift plan of the tallymen", "The early shift begins at six."], x=-100, y=0)

    assert "Shift plan of the tallymen" in read(draw).text


def test_lines_of_writings_without_spaces_are_joined_without_one() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))

    def draw(canvas: Any) -> None:
        canvas.setFont("STSong-Light", 12)
        lines(canvas, ["大风时起重机停止作业请到窗口咨", "询详细情况费用为每件五元"])

    assert "窗口咨询详细" in read(draw).text


def test_bold_lines_a_little_larger_are_headings_and_single_letters_are_none() -> None:
    def draw(canvas: Any) -> None:
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(60, 760, "Yard rules")
        canvas.drawString(500, 760, "A")
        for number, name in enumerate(("Speed", "Parking")):
            canvas.setFont("Helvetica-Bold", 12)
            canvas.drawString(60, 700 - 100 * number, name)
            canvas.setFont("Helvetica", 11)
            lines(canvas, [LONG, f"{LONG}."], y=680 - 100 * number)

    text = read(draw).text
    assert text.startswith("# Yard rules")
    assert "\n\n## Speed\n\n" in text and "\n\n## Parking\n\n" in text
    assert text.count("\n#") == 2


def test_bold_codes_of_a_table_are_no_headings() -> None:
    def draw(canvas: Any) -> None:
        lines(canvas, [LONG])
        for number in range(5):
            canvas.setFont("Helvetica-Bold", 11)
            canvas.drawString(60, 600 - 2 - 18 * number, f"GT-20{number}")
            canvas.setFont("Helvetica", 11)
            canvas.drawString(160, 600 - 18 * number, f"Weighbridge shows error {number}")

    text = read(draw).text
    assert "| GT-203 | Weighbridge shows error 3 |" in text
    assert "#" not in text


def test_code_keeps_its_lines_and_a_number_sign_makes_no_heading() -> None:
    def draw(canvas: Any) -> None:
        lines(canvas, [LONG, LONG])
        canvas.setFont("Courier", 10)
        lines(canvas, ["# restart", "if down:", "    call tower"], y=600)
        canvas.setFont("Helvetica", 12)
        lines(canvas, ["# is the sign of a number"], y=500)

    text = read(draw).text
    assert "```\n# restart\nif down:\n    call tower\n```" in text
    assert "\n\n\\# is the sign" in text


def test_pages_that_are_scans_are_counted() -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    picture = ImageReader(Image.new("L", (40, 40), 200))

    def draw(canvas: Any) -> None:
        lines(canvas, [LONG])
        canvas.showPage()
        canvas.drawImage(picture, 60, 60, 400, 600)
        canvas.showPage()
        canvas.drawImage(picture, 60, 60, 400, 600)

    assert read(draw).metadata["pages_without_text"] == [2, 3]
    with pytest.raises(UnreadableError, match="scan without text"):
        read(lambda canvas: canvas.drawImage(picture, 60, 60, 400, 600))


def test_a_font_whose_name_is_a_string_is_no_matter() -> None:
    from reportlab.pdfgen.canvas import Canvas

    stream = io.BytesIO()
    canvas = Canvas(stream, pageCompression=0)
    canvas.drawString(60, 700, "Cranes stop at force eight.")
    canvas.save()
    data = stream.getvalue().replace(b"/BaseFont /Helvetica", b"/BaseFont (Helvetica)")
    assert b"(Helvetica)" in data
    assert parse("a.pdf", data).text == "Cranes stop at force eight."


def test_properties_become_title_and_metadata() -> None:
    parsed = read(lambda canvas: lines(canvas, [LONG]), title="Quay notices", author="Harbour desk")
    assert parsed.title == "Quay notices"
    assert parsed.metadata["author"] == "Harbour desk"
    assert len(parsed.metadata["date"]) == 10


def test_each_page_is_known_by_where_it_starts() -> None:
    def draw(canvas: Any) -> None:
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(60, 740, "Pier ﬁles")
        canvas.setFont("Helvetica", 12)
        lines(canvas, ["• " + LONG, "and the harbour master keeps the un-"])
        canvas.showPage()
        canvas.setFont("Helvetica", 12)
        lines(canvas, ["loading of small boats"])
        canvas.showPage()
        canvas.showPage()
        canvas.setFont("Helvetica", 12)
        lines(canvas, ["Ships moor at the west pier."])
        canvas.showPage()
        canvas.showPage()

    parsed = read(draw)
    pages = parsed.pages or []
    assert "keeps the unloading of small boats" in parsed.text
    starts = [parsed.text[start:].split(" ")[0] for start in pages]
    assert starts == ["#", "loading", "Ships", "Ships", ""]


def test_pages_are_counted_in_the_cleaned_text() -> None:
    text, starts = clean_parts(["One\u00ad ﬁle\r\n", "", "two\u200b", "three"])
    assert (text, starts) == ("One file\ntwothree", [0, 9, 9, 12])
