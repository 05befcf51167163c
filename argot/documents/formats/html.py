"""HTML becomes Markdown; what only dresses a page is left out."""

from __future__ import annotations

import re

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, decode

DRESS = ["script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "head"]
CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{2,20})", re.IGNORECASE)
BLANK = re.compile(r"\n\s*\n\s*\n")


def read_html(data: bytes) -> Parsed:
    """The page's <main> where it has one, else its body; its <title> is the title."""
    declared = CHARSET.search(data[:4096])
    text, title = to_markdown(decode(data, declared[1].decode() if declared else ""))
    return Parsed("html", text, title)


def to_markdown(html: str) -> tuple[str, str]:
    """Markdown and title of a page: headings, lists, tables and code stay, addresses of links and pictures go."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(html, "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for tag in soup(DRESS):
        tag.decompose()
    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        strip=["a", "img"],
        table_infer_header=True,
        escape_misc=False,
        escape_asterisks=False,
        escape_underscores=False,
    )
    text = converter.convert_soup(soup.find("main") or soup.body or soup)
    return BLANK.sub("\n\n", clean(text)).strip(), " ".join(clean(title).split())
