"""Separators are told by the rows, not by a sample's quotes."""

from __future__ import annotations

import pytest

from argot.documents.formats.reader import parse


def text(csv: str) -> str:
    return parse("table.csv", csv.encode()).text


def test_quotes_that_come_late_are_quotes() -> None:
    rows = "".join(f"{number},plain\n" for number in range(9000))
    assert text(f'id,note\n{rows}7,"a ""big"" crane, blue"\n').endswith(
        '| 7 | a "big" crane, blue |'
    )


@pytest.mark.parametrize("separator", list(",;\t|"))
def test_lists_within_cells_do_not_mislead(separator: str) -> None:
    other = ";" if separator != ";" else ","
    rows = [
        ["port", "goods"],
        ["RTM", f"tea{other} rice{other} nuts"],
        ["SIN", f"oil{other} gas{other} coal"],
    ]
    lines = text("\n".join(separator.join(row) for row in rows)).split("\n")
    assert [line.count(" | ") for line in lines] == [1, 1, 1, 1] and lines[2].startswith(
        "| RTM | tea"
    )


def test_decimal_commas_are_no_separators() -> None:
    assert (
        text("port;fee\nRTM;4,5\nSIN;6,0\n")
        == "| port | fee |\n| --- | --- |\n| RTM | 4,5 |\n| SIN | 6,0 |"
    )


def test_lines_before_the_header_are_text() -> None:
    assert text(
        "Fees of 2026\nAs of 1 March, all ports\n\nPort;Fee;From\nRTM;45;May\nSIN;60;June\n"
    ) == (
        "Fees of 2026\nAs of 1 March, all ports\n\n"
        "| Port | Fee | From |\n| --- | --- | --- |\n| RTM | 45 | May |\n| SIN | 60 | June |"
    )


def test_one_column_and_ragged_rows_lose_nothing() -> None:
    assert text("port\nRTM\nSIN\n") == "| port |\n| --- |\n| RTM |\n| SIN |"
    ragged = text("a,b,c\n1,2,3\n4\n5,6,7,8\n")
    assert all(digit in ragged for digit in "12345678")
