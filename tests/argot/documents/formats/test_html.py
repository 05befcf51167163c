"""Pages as a reader sees them."""

from __future__ import annotations

import pytest

from argot.documents.formats.html import to_markdown
from argot.documents.formats.reader import parse


def page(body: str, head: str = "") -> str:
    return parse("page.html", f"<html><head>{head}</head><body>{body}</body></html>".encode()).text


def test_a_cell_over_rows_stands_in_each_of_them() -> None:
    rows = "<tr><th>Terminal</th><th>Kind</th></tr><tr><td rowspan=2>North</td><td>dry</td></tr><tr><td>reefer</td></tr>"
    assert page(f"<table>{rows}</table>").split("\n")[2:] == [
        "| North | dry |",
        "| North | reefer |",
    ]


def test_cells_over_rows_and_columns_keep_the_others_in_place() -> None:
    head = "<tr><th rowspan=2>Port<th colspan=2>Fee</tr><tr><th>dry<th>reefer</tr>"
    assert page(f"<table><thead>{head}</thead><tbody><tr><td>A<td>1<td>2</tbody></table>").split("\n") == [
        "| Port | Fee |  |", "| --- | --- | --- |", "| Port | dry | reefer |", "| A | 1 | 2 |",
    ]  # fmt: skip


def test_a_span_without_end_adds_no_columns_and_no_rows() -> None:
    text = page(
        "<table><tr><td rowspan=99999 colspan=99999>a</td><td>b</td></tr><tr><td>c</td></tr></table>"
    )
    assert len(text) < 5_000 and text.count("\n") == 2


def test_a_bar_in_a_cell_and_cells_without_a_row_stay_in_their_columns() -> None:
    assert page("<table><tr><td>a|b</td><td>c</td></tr><td>d</td><td>e</td></table>") == (
        "| a\\|b | c |\n| --- | --- |\n| d | e |"
    )


def test_a_table_has_one_header_whatever_its_parts() -> None:
    body = "<caption>Fees</caption><colgroup><col></colgroup><tbody><tr><td>a<td>b</tbody><tbody><tr><td>c<td>d</tbody>"
    assert page(f"<table>{body}</table>") == "Fees\n\n| a | b |\n| --- | --- |\n| c | d |"


def test_layout_tables_are_text_and_the_table_in_them_is_a_table() -> None:
    inner = "<table><tr><th>Gate</th><th>Opens</th></tr><tr><td>four</td><td>5:00</td></tr></table>"
    text = page(
        f"<table><tr><td><h1>Closed</h1></td></tr><tr><td><ul><li>Go home.</li></ul>{inner}</td></tr></table>"
    )
    assert text == "# Closed\n\n- Go home.\n\n| Gate | Opens |\n| --- | --- |\n| four | 5:00 |"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("10<sup>6</sup> pulses", "10^6 pulses"),
        ("45<sup>2</sup> euro", "45^2 euro"),
        ("days<sup>1</sup>", "days^1"),
        ("20 m<sup>2</sup>, kg/m<sup>3</sup>", "20 m², kg/m³"),
        ("CO<sub>2</sub> and H<sub>2</sub>O", "CO2 and H2O"),
        ("1<sup>st</sup> of May, 2<sup>n</sup>", "1st of May, 2^n"),
        ("10<sub>2</sub>", "10_2"),
        ("x<sup>-1</sup>", "x^-1"),
    ],
)
def test_raised_digits_keep_off_the_number_before(html: str, expected: str) -> None:
    assert page(f"<p>{html}</p>") == expected


@pytest.mark.parametrize(
    "text", ["# rm -r cache", "``` no code", "~~~", "&lt;pre&gt; is a tag", "---", "## b ##"]
)
def test_text_that_looks_like_markdown_stays_text(text: str) -> None:
    from argot.documents.markdown import blocks

    markdown = page(f"<h1>A</h1><p>{text}</p><h1>B</h1>")
    assert [block.kind for block in blocks(markdown)] == ["heading", "paragraph", "heading"]


def test_code_that_holds_a_fence_stays_one_block() -> None:
    assert page("<pre>```\n# x\n```</pre>") == "````\n```\n# x\n```\n````"


def test_nothing_unseen_stays_in_words() -> None:
    assert (
        page("<p>Lie&shy;ge&shy;platz, de\u200bmurrage, a\u2060b</p>")
        == "Liegeplatz, demurrage, ab"
    )


def test_a_line_end_between_chinese_characters_is_no_space() -> None:
    assert page("<p>大风时\n  起重机停止\nOK</p>") == "大风时起重机停止\nOK"


def test_blocks_that_browsers_show_apart_are_apart() -> None:
    assert page(
        "<details><summary>Hours</summary>From five.</details><address>Pier 1</address>"
    ) == ("Hours\n\nFrom five.\n\nPier 1")


@pytest.mark.parametrize(
    "body",
    [
        "<main id=app></main><div><h1>Hours</h1><p>From five to nine.</p></div>",
        "<main><h1>Hours</h1></main><main><p>From five to nine.</p></main>",
        "<main>Hi</main><h1>Hours</h1><p>From five to nine.</p>",
    ],
)
def test_the_text_is_found_wherever_the_mains_are(body: str) -> None:
    assert page(body).endswith("# Hours\n\nFrom five to nine.")


@pytest.mark.parametrize(
    ("written", "date"), [("2026", "2026"), ("2026-03-01T09:00:00Z", "2026-03-01")]
)
def test_meta_tags_become_metadata(written: str, date: str) -> None:
    time = f'<meta property="article:published_time" content="{written}">'
    head = f'<title>Fees</title><meta name="author" content="Ann">{time}'
    parsed = parse("a.html", f"<html><head>{head}</head><body>Text.</body></html>".encode())
    assert (parsed.title, parsed.metadata) == ("Fees", {"author": "Ann", "date": date})


def test_what_is_converted_to_html_has_no_chrome() -> None:
    assert (
        to_markdown("<header>Head</header><p>Text</p><footer>Foot</footer>")[0]
        == "Head\n\nText\n\nFoot"
    )


def test_a_heading_in_a_list_is_a_heading() -> None:
    assert page("<ul><li><h2>Fees</h2><p>In euro.</p></li></ul>") == "## Fees\n\nIn euro."
    assert page("<ol><li><h3>Open</h3></li><li><h3>Close</h3><h4>Seal</h4></li></ol>") == (
        "### 1. Open\n\n### 2. Close\n\n#### Seal"
    )
    assert page("<ol start=4><li><h3>Close</h3></li></ol>") == "### 4. Close"


def test_links_of_headings_to_themselves_are_left_out() -> None:
    body = '<h1>Fees<a class="headerlink" href="#fees">¶</a></h1><p>See <a href="#x">#7</a>.</p>'
    assert page(body) == "# Fees\n\nSee #7."
