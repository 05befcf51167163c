"""Word files become Markdown with all that Word shows."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from argot.documents.formats import Parsed
from argot.documents.formats.equations import linear
from argot.documents.formats.office import NAMES, parsed
from argot.documents.formats.word import read_docx
from argot.documents.formats.word_numbers import Numbering

W = f'xmlns:w="{NAMES["w"]}" xmlns:m="{NAMES["m"]}" xmlns:r="{NAMES["r"]}"'
FRACTION = (
    "<m:f><m:num><m:r><m:t>230 kN</m:t></m:r></m:num><m:den><m:r><m:t>1.5</m:t></m:r></m:den></m:f>"
)
POWER = "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
ROOT = "<m:rad><m:deg/><m:e><m:r><m:t>a+b</m:t></m:r></m:e></m:rad>"
SUM = (
    '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub><m:r><m:t>i=1</m:t></m:r></m:sub>'
    "<m:sup><m:r><m:t>n</m:t></m:r></m:sup><m:e><m:r><m:t>i</m:t></m:r></m:e></m:nary>"
)


def document(fill: Callable[[Any], None]) -> bytes:
    from docx import Document

    word, stream = Document(), io.BytesIO()
    fill(word)
    word.save(stream)
    return stream.getvalue()


def body(xml: str, **parts: str) -> bytes:
    """A Word file whose body is `xml`; `parts` are further files below word/, each referred to."""
    data, stream = document(lambda word: None), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "word/document.xml":
                content = f"<w:document {W}><w:body>{xml}</w:body></w:document>".encode()
            if name == "word/_rels/document.xml.rels":
                links = "".join(
                    f'<Relationship Id="{key}" Type="t/{key}" Target="{key}.xml"/>' for key in parts
                )
                content = content.replace(b"</Relationships>", f"{links}</Relationships>".encode())
            if name not in [f"word/{key}.xml" for key in parts]:
                new.writestr(name, content)
        for key, text in parts.items():
            new.writestr(f"word/{key}.xml", text)
    return stream.getvalue()


def paragraph(text: str, properties: str = "", run: str = "") -> str:
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def text(xml: str, **parts: str) -> str:
    return read_docx(body(xml, **parts)).text


def test_values_of_fields_are_read() -> None:
    field = '<w:fldSimple w:instr="REF X"><w:r><w:t>4.3</w:t></w:r></w:fldSimple>'
    assert (
        text(f"<w:p><w:r><w:t>See chapter(</w:t></w:r>{field}<w:r><w:t>).</w:t></w:r></w:p>")
        == "See chapter(4.3)."
    )


def test_words_with_their_reading_above_are_kept() -> None:
    ruby = (
        "<w:ruby><w:rt><w:r><w:t>とうきょう</w:t></w:r></w:rt>"
        "<w:rubyBase><w:r><w:t>東京</w:t></w:r></w:rubyBase></w:ruby>"
    )
    assert text(f"<w:p><w:r>{ruby}</w:r><w:r><w:t>港</w:t></w:r></w:p>") == "東京港"


def test_a_style_without_a_type_is_one_of_paragraphs() -> None:
    style = '<w:style w:styleId="Plain"><w:name w:val="Plain"/></w:style>'
    styles = f"<w:styles {W}>{style}</w:styles>"
    assert text(paragraph("Berths", '<w:pStyle w:val="Plain"/>'), styles=styles) == "Berths"


def test_a_style_without_an_id_is_of_no_paragraph() -> None:
    styles = f'<w:styles {W}><w:style w:type="paragraph"><w:name w:val="heading 1"/></w:style></w:styles>'
    assert text(paragraph("Yard."), styles=styles) == "Yard."


def test_equations_stand_in_their_sentence() -> None:
    between = f"<w:p><w:r><w:t>It bears</w:t></w:r><m:oMath>{FRACTION}</m:oMath><w:r><w:t>.</w:t></w:r></w:p>"
    assert "230 kN/1.5" in text(between)
    assert text(f"<w:p><m:oMathPara><m:oMath>{SUM}</m:oMath></m:oMathPara></w:p>") == "∑_(i=1)^n i"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [(FRACTION, "230 kN/1.5"), (POWER, "x^2"), (ROOT, "√(a+b)"), (SUM, "∑_(i=1)^n i")],
)
def test_equations_become_letters(xml: str, expected: str) -> None:
    assert linear(parsed(f"<m:oMath {W}>{xml}</m:oMath>".encode())) == expected


def levels(*texts: str, kinds: tuple[str, ...] = ("decimal",) * 3) -> str:
    entries = "".join(
        f'<w:lvl w:ilvl="{place}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{shown}"/></w:lvl>'
        for place, (shown, kind) in enumerate(zip(texts, kinds, strict=False))
    )
    return f'<w:abstractNum w:abstractNumId="1">{entries}</w:abstractNum><w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num>'


def numbering(*texts: str, kinds: tuple[str, ...] = ("decimal",) * 3) -> str:
    return f"<w:numbering {W}>{levels(*texts, kinds=kinds)}</w:numbering>"


def in_list(text: str, place: int) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{place}"/><w:numId w:val="7"/></w:numPr>')


def test_numbers_of_clauses_are_kept() -> None:
    clauses = (
        in_list("Scope", 0)
        + in_list("Fees", 0)
        + in_list("A berth costs 45.", 1)
        + in_list("A crane 60.", 1)
    )
    expected = "1. Scope\n\n2. Fees\n\n2.1 A berth costs 45.\n\n2.2 A crane 60.\n\n3. Law"
    assert text(clauses + in_list("Law", 0), numbering=numbering("%1.", "%1.%2")) == expected


def test_numbers_go_on_after_text_between_them() -> None:
    between = in_list("Open", 0) + paragraph("Wait for the light.") + in_list("Close", 0)
    assert text(between, numbering=numbering("%1)")) == "1) Open\n\nWait for the light.\n\n2) Close"


def test_bullets_stay_a_list() -> None:
    bullets = in_list("Open", 0) + in_list("Close", 0)
    assert text(bullets, numbering=numbering("o", kinds=("bullet",))) == "- Open\n- Close"


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("lowerLetter", "z aa"), ("upperRoman", "XXVI XXVII"), ("decimalZero", "26 27")],
)
def test_kinds_of_numbers(kind: str, shown: str) -> None:
    counted = Numbering(parsed(numbering("%1", kinds=(kind,)).encode()))
    assert " ".join([counted.next("7", 0) or "" for _ in range(27)][25:]) == shown


def test_lists_that_start_elsewhere_and_unknown_lists() -> None:
    override = '<w:num w:numId="8"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/>'
    xml = f"<w:numbering {W}>{levels('%1.')}{override}</w:lvlOverride></w:num></w:numbering>"
    counted = Numbering(parsed(xml.encode()))
    assert [counted.next("7", 0), counted.next("8", 0), counted.next("7", 0)] == ["1.", "5.", "2."]
    assert counted.next("99", 0) is None


def test_notes_follow_the_paragraph_that_refers_to_them() -> None:
    note = f'<w:footnotes {W}><w:footnote w:id="2"><w:p><w:r><w:t>Sundays do not count.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    reference = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:footnoteReference w:id="2"/></w:r>'
    xml = (
        f"<w:p><w:r><w:t>Pay within 30</w:t></w:r>{reference}<w:r><w:t> days.</w:t></w:r></w:p>"
        + paragraph("Next.")
    )
    assert (
        text(xml, footnotes=note) == "Pay within 30 [1] days.\n\n[1] Sundays do not count.\n\nNext."
    )


def test_headings_by_outline_level() -> None:
    assert text(
        paragraph("Fees", '<w:outlineLvl w:val="1"/>') + paragraph("A berth costs 45.")
    ) == ("## Fees\n\nA berth costs 45.")


def test_headings_by_their_letters_where_no_style_tells_them() -> None:
    large, bold = '<w:b/><w:sz w:val="36"/>', "<w:b/>"
    sentence = "A berth costs forty-five euro a day, and a crane sixty."
    xml = paragraph("Tariff", run=large) + paragraph("Berths", run=bold) + paragraph(sentence)
    assert text(xml + paragraph("Note that this is due at once.", run=bold)) == (
        f"# Tariff\n\n## Berths\n\n{sentence}\n\n**Note that this is due at once.**"
    )


def test_bold_lines_are_no_headings_where_styles_tell_them() -> None:
    def fill(word: Any) -> None:
        word.add_heading("Fees", 1)
        word.add_paragraph().add_run("Berths").bold = True

    assert read_docx(document(fill)).text == "# Fees\n\n**Berths**"


def test_data_of_a_chart_is_read() -> None:
    chart = (
        f'<c:chartSpace xmlns:c="{NAMES["c"]}"><c:chart><c:plotArea><c:barChart><c:ser><c:tx><c:strRef><c:strCache>'
        '<c:pt idx="0"><c:v>Moves</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt idx="0">'
        '<c:v>Northquay</c:v></c:pt></c:strCache></c:strRef></c:cat><c:val><c:numRef><c:numCache><c:pt idx="0"><c:v>28</c:v>'
        "</c:pt></c:numCache></c:numRef></c:val></c:ser></c:barChart></c:plotArea></c:chart></c:chartSpace>"
    )
    drawing = f'<w:p><w:r><w:drawing><c:chart xmlns:c="{NAMES["c"]}" r:id="chart1"/></w:drawing></w:r></w:p>'
    assert text(drawing, chart1=chart) == "|  | Moves |\n| --- | --- |\n| Northquay | 28 |"


def test_the_strict_form_of_the_standard_is_read() -> None:
    data, stream = body(paragraph("Cranes stop.")), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for family in (b"wordprocessingml", b"officeDocument"):
                content = content.replace(
                    b"http://schemas.openxmlformats.org/" + family + b"/2006/",
                    b"http://purl.oclc.org/ooxml/" + family + b"/",
                )
            new.writestr(name, content)
    assert read_docx(stream.getvalue()).text == "Cranes stop."


def test_properties_become_title_and_metadata() -> None:
    def fill(word: Any) -> None:
        word.core_properties.title, word.core_properties.author = "Berth notices", "Harbour desk"
        word.add_paragraph("Cranes stop.")

    read: Parsed = read_docx(document(fill))
    assert (read.title, read.metadata) == (
        "Berth notices",
        {"author": "Harbour desk", "date": "2013-12-23"},
    )
