"""Books (EPUB): the chapters in their order of reading."""

from __future__ import annotations

import posixpath
import zipfile
from typing import Any
from urllib.parse import unquote

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.archive import open_archive
from argot.documents.formats.html import to_markdown
from argot.documents.formats.text import decode

CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"


def read_epub(data: bytes) -> Parsed:
    """Each chapter's XHTML as Markdown, one after another."""
    book = open_archive(data)
    if ENCRYPTION in book.namelist() and b"html" in book.read(ENCRYPTION):
        raise UnreadableError("encrypted")
    package = str(_xml(book, CONTAINER).find("rootfile")["full-path"])
    tree = _xml(book, package)
    paths = {item["id"]: item["href"] for item in tree.find_all("item")}
    # Some books list a file once for each of its sections: "chapter.xhtml#section".
    files = [paths[item["idref"]].partition("#")[0] for item in tree.find_all("itemref")]
    chapters = []
    for file in dict.fromkeys(files):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(file)))
        chapters.append(to_markdown(decode(book.read(path)))[0])
    title, author = tree.find("dc:title"), tree.find("dc:creator")
    return Parsed(
        "epub",
        "\n\n".join(chapter for chapter in chapters if chapter),
        title.get_text(strip=True) if title else "",
        {"author": author.get_text(strip=True)} if author else {},
    )


def _xml(book: zipfile.ZipFile, name: str) -> Any:
    from bs4 import BeautifulSoup

    return BeautifulSoup(book.read(name), "xml")
