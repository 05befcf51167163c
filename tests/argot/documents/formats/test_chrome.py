"""What frames a page is left out, and nothing else."""

from __future__ import annotations

import pytest

from argot.documents.formats.reader import parse

PROSE = "<p>Twist locks are closed before the ship leaves the berth, and checked twice while she is at sea.</p>"
LINKS = "".join(
    f'<li><a href="{name}">{name}</a></li>'
    for name in ("Start", "News", "People", "Safety", "Log in")
)


def text(body: str) -> str:
    return parse("page.html", f"<html><body>{body}</body></html>".encode()).text


@pytest.mark.parametrize(
    "frame",
    [
        f"<header>Harbour wiki <ul>{LINKS}</ul></header>",
        f'<div role="navigation"><ul>{LINKS}</ul></div>',
        "<aside><h3>Recent changes</h3><p>Ann changed Cranes.</p></aside>",
        "<footer><p>For employees only. Privacy.</p></footer>",
        f"<ul>{LINKS}</ul>",
        '<div class="cookie-notice"><p>We use cookies.</p></div>',
        '<div id="rightSidebar"><h3>Tags</h3></div>',
        '<section class="sharedaddy"><p>Share this</p></section>',
        "<form><button>Search</button><select><option>All</option></select></form>",
    ],
)
def test_what_frames_the_page_is_left_out(frame: str) -> None:
    for body in (
        f"<div><h1>Lashing</h1>{PROSE}</div>{frame}",
        f"{frame}<article><h1>Lashing</h1>{PROSE}</article>",
    ):
        assert text(body) == f"# Lashing\n\n{PROSE[3:-4]}"


@pytest.mark.parametrize(
    "content",
    [
        f'<div class="has-sidebar"><h1>Lashing</h1>{PROSE}</div>',
        f"<article><header><h1>Lashing</h1></header>{PROSE}</article>",
        f"<header><h1>Lashing</h1></header>{PROSE}",
        f'<h1>Lashing</h1><main><aside class="note">{PROSE}</aside></main>',
    ],
)
def test_content_is_kept_whatever_is_around_it(content: str) -> None:
    assert text(content) == f"# Lashing\n\n{PROSE[3:-4]}"


def test_a_section_is_not_judged_by_an_anchor_made_of_its_heading() -> None:
    section = f'<section id="cookies"><h2>Cookies</h2><p>Ours last a day.</p></section><h1>Site</h1>{PROSE * 3}'
    assert "Ours last a day." in text(section)


def test_a_page_of_links_is_kept() -> None:
    assert text(f"<h1>Forms</h1><ul>{LINKS}</ul>").count("- ") == 5
