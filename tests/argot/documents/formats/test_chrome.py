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
        '<p>Next: <a rel="next" href="2">Cranes</a>, Up: <a accesskey="u" href="0">Port</a></p>',
        '<p>Also in <a hreflang="fr" rel="alternate" href="fr">fr</a> <a rel="alternate" href="de">de</a></p>',
        '<address class="footer">Made by a program</address>',
        '<p class="skip"><a href="#lashing">Skip to the text</a></p>',
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


@pytest.mark.parametrize(
    "section",
    [
        '<section id="shared-lines"><h2>3.1. Shared lines</h2>',
        '<section id="overlay(int)" class="detail"><h3>overlay</h3>',
        '<div id="method.share"><h3>fn share(self)</h3>',
    ],
)
def test_a_section_of_a_manual_is_kept_whatever_its_anchor_says(section: str) -> None:
    end = section[1:].split()[0]
    assert "Ours last." in text(f"{section}<p>Ours last.</p></{end}><h1>Port</h1>{PROSE * 3}")


def test_links_without_marks_that_repeat_marked_ones_are_left_out() -> None:
    links = '<a {}href="2">Cranes</a>, <a {}href="0">Port</a>'
    top, foot = links.format('rel="next" ', 'rel="up" '), links.format("", "")
    assert text(f"<p>Next: {top}</p><h1>Lashing</h1>{PROSE}<p>Next: {foot}</p>") == (
        f"# Lashing\n\n{PROSE[3:-4]}"
    )


def test_a_table_of_links_is_no_menu() -> None:
    row = '<tr><td><a href="#int">int</a></td><td><a href="#{0}">rope_{0}()</a></td></tr>'
    rows = "".join(map(row.format, range(6)))
    assert "rope_5()" in text(f"<h1>Functions</h1>{PROSE}<table>{rows}</table>")


def test_a_short_page_is_not_overgrown_by_a_popup() -> None:
    keys = '<div id="help-popup"><h2>Shortcuts</h2><p>Press S to search.</p></div>'
    assert text(f"{keys}<h1>Lashing</h1>{PROSE}") == f"# Lashing\n\n{PROSE[3:-4]}"


def test_a_page_of_links_is_kept() -> None:
    assert text(f"<h1>Forms</h1><ul>{LINKS}</ul>").count("- ") == 5
