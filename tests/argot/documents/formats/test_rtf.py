"""RTF as Word and LibreOffice write it."""

from __future__ import annotations

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
    assert text(r"\pard Open{\footnote without an end\par") == "Open [without an end\n\n]"


def test_lines_that_look_like_markdown_are_text() -> None:
    assert text(r"\pard # restart the crane\par ---\par Done.\par") == (
        "\\# restart the crane\n\n\\---\n\nDone."
    )
