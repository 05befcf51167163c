"""Books are read once, in the order of their spine."""

from __future__ import annotations

import io
import zipfile

from argot.documents.formats.epub import read_epub


def test_a_chapter_listed_once_for_each_of_its_sections_is_read_once() -> None:
    items = [("a", "a.xhtml#one"), ("b", "a.xhtml#two"), ("c", "b.xhtml")]
    manifest = "".join(f'<item id="{key}" href="{path}"/>' for key, path in items)
    spine = "".join(f'<itemref idref="{key}"/>' for key, _ in items)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        container = '<container><rootfile full-path="c.opf"/></container>'
        book.writestr("META-INF/container.xml", container)
        package = f"<package><manifest>{manifest}</manifest><spine>{spine}</spine></package>"
        book.writestr("c.opf", package)
        book.writestr("a.xhtml", "<h1>Bowline</h1><p>A loop.</p>")
        book.writestr("b.xhtml", "<h1>Hitch</h1><p>A turn.</p>")
    assert read_epub(stream.getvalue()).text == "# Bowline\n\nA loop.\n\n# Hitch\n\nA turn."
