"""RTF as Word and LibreOffice write it."""

from __future__ import annotations

import pytest

from argot.documents.formats.reader import parse

HEAD = (
    r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}}"
    r"{\info{\title Depot r\'fcles}{\author Ann}}"
)


def text(body: str) -> str:
    return parse("a.rtf", f"{HEAD}{body}}}".encode("cp1252")).text


def test_headings_come_from_styles_and_outline_levels() -> None:
    body = r"\pard\s1 Gates\par\pard Open at five.\par\pard\outlinelevel1 Lanes\par\pard Four of them.\par"
    assert text(body) == "# Gates\n\nOpen at five.\n\n## Lanes\n\nFour of them."


def test_tables_keep_their_rows_and_bars_of_text_are_no_cells() -> None:
    rows = "".join(
        rf"\trowd\cellx1\cellx2 {a}\cell {b}\cell\row" + "\n"
        for a, b in (("Port", "Fee"), ("A|B", "45"))
    )
    assert text(rf"\pard Fees are\par {rows}\pard Due at once.\par") == (
        "Fees are\n\n| Port | Fee |\n| --- | --- |\n| A\\|B | 45 |\n\nDue at once."
    )


def test_raised_digits_umlauts_and_lists() -> None:
    assert text(r"\pard 10{\super 6} pulses, Geb\'fchr \u8364?5\par") == "10^6 pulses, Gebühr €5"
    assert text(r"\pard{\listtext\'b7\tab}One\par{\listtext\'b7\tab}Two\par") == "- One\n- Two"


def test_its_information_is_metadata() -> None:
    parsed = parse("a.rtf", f"{HEAD} Text.}}".encode("cp1252"))
    assert (parsed.title, parsed.metadata) == ("Depot rüles", {"author": "Ann"})


def test_notes_stand_where_they_are_referred_to() -> None:
    note = r"{\footnote \pard Not on {\b Sundays}, \{5 am\}.}"
    assert text(rf"\pard Open at five{note} each day.\par") == (
        "Open at five [Not on Sundays, {5 am}.] each day."
    )
    assert text(r"\pard Open{\footnote without an end\par") == "Open [without an end]"


def test_lines_that_look_like_markdown_are_text() -> None:
    assert text(r"\pard # restart the crane\par ---\par Done.\par") == (
        "\\# restart the crane\n\n\\---\n\nDone."
    )


def test_rows_without_properties_of_their_own_have_those_before_them() -> None:
    """Word writes them once for all rows that are alike, and again where they change."""
    rows = (
        r"\trowd\cellx20\cellx40\pard\intbl {Port\cell Fee\cell }\pard\intbl {\row }"
        r"\pard\intbl {Millpier\cell 45\par a day\cell }\pard\intbl {\row }\pard\par {After.}\par"
    )
    assert text(rows) == "| Port | Fee |\n| --- | --- |\n| Millpier | 45 a day |\n\nAfter."


def test_a_cell_over_two_columns_keeps_the_next_one_in_its_own() -> None:
    rows = (
        r"\trowd\cellx2000\cellx4000\cellx6000 Port\cell Dry\cell Wet\cell\row"
        r"\trowd\cellx3990\cellx6000 Millpier, closed\cell 7\cell\row"
    )
    assert text(rows) == "| Port | Dry | Wet |\n| --- | --- | --- |\n| Millpier, closed |  | 7 |"


@pytest.mark.parametrize(
    ("source", "read"),
    [
        (r"Bar {\pict{\*\picprop{\sp{\sn a}{\sv b}}}\pngblip 00ff}ge\par", "Bar ge"),
        (r"A{\pict\bin3 }}}}nchor\par", "Anchor"),
        (r"Seen{\v unseen}{\deleted gone}{\*\annotation note}\par", "Seen"),
        (r"{\field{\*\fldinst HYPERLINK \"a\"}{\fldrslt Tariff}} of May\par", "Tariff of May"),
        (r"{\header Page}{\info{\title T}}Text\par", "Text"),
        (r"\uc2 5 \u8364\'80\'80 or \uc1\u-10179?\u-8704?\par", "5 € or 😀"),
        (r"Ann{\shp{\*\shpinst{\sp{\sn a}}{\shptxt\pard Box\par}}} Bo\par", "Box\n\nAnn Bo"),
        (r"{\*\moMathPara{\*\moMath{\mr F=ma}}}\par", "F=ma"),
    ],
)
def test_what_is_for_readers_is_read(source: str, read: str) -> None:
    assert text(rf"\pard {source}") == read


def test_letters_are_those_of_the_fonts_character_set() -> None:
    fonts = r"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}{\f2\fcharset128 C;}}"
    body = r"{\f1 \'ca\'f0\'e0\'ed} {\f2 \'83\'4e\'83\'8c} {\f0 \'fc}\par"
    data = rf"{{\rtf1\ansi\ansicpg1252{fonts}{body}}}".encode("ascii")
    assert parse("a.rtf", data).text == "Кран クレ ü"


def test_lines_in_a_monospaced_font_are_code() -> None:
    fonts = r"{\fonttbl{\f0 Arial;}{\f1\fmodern Courier;}}{\stylesheet{\s31\f0 pod-head2;}}"
    body = (
        r"\pard\f0 Restart it from the shell of the gate, never from the crane:\par"
        r"{\pard\f1 # as root\line if down:\line     restart\par}\pard\f1 exit\par\f0\par"
        r"\pard\s31 Then\par\pard Wait for the {\f1 READY} lamp.\par"
    )
    assert parse("a.rtf", rf"{{\rtf1{fonts}{body}}}".encode()).text == (
        "Restart it from the shell of the gate, never from the crane:\n\n"
        "```\n# as root\nif down:\n    restart\nexit\n```\n\n## Then\n\nWait for the READY lamp."
    )
    assert "```" not in parse("a.rtf", rf"{{\rtf1{fonts}\f1 All of it\par}}".encode()).text


def test_numbers_of_a_list_are_kept() -> None:
    items = r"{\pntext 1.\tab}Open\par{\listtext b)\tab}Close\par"
    assert text(rf"\pard{items}") == "1. Open\nb) Close"
