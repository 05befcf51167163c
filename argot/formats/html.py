"""HTML becomes Markdown; what only dresses a page is left out."""

from __future__ import annotations

from argot.formats import Parsed
from argot.formats.text import clean, decode

DRESS = ["script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "form"]


def read_html(data: bytes) -> Parsed:
    """The page's <main> where it has one, else its body; its <title> is the title."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(decode(data), "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    return Parsed("html", to_markdown(soup), title)


def to_markdown(soup: object) -> str:
    """The Markdown of a parsed page."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    assert isinstance(soup, BeautifulSoup)
    for tag in soup(DRESS):
        tag.decompose()
    root = soup.find("main") or soup.body or soup
    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", strip=["a", "img"], escape_misc=False, escape_asterisks=False, escape_underscores=False
    )
    return clean(converter.convert_soup(root)).strip()
