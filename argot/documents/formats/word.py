"""Word files (DOCX) become Markdown: mammoth reads their styles."""

from __future__ import annotations

import io
import re

from argot.documents.formats import Parsed
from argot.documents.formats.html import to_markdown
from argot.documents.markdown import plain

TITLE = re.compile(r'<h1 class="title">(.*?)</h1>', re.DOTALL)
STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Code'] => pre:separator('\n')
p[style-name='HTML Preformatted'] => pre:separator('\n')
p[style-name='Source Code'] => pre:separator('\n')
"""


def read_docx(data: bytes) -> Parsed:
    """Headings, lists, tables and notes by their styles; pictures are left out."""
    import mammoth

    result = mammoth.convert_to_html(
        io.BytesIO(data),
        style_map=STYLES,
        convert_image=mammoth.images.img_element(lambda image: {"src": ""}),
    )
    text, _ = to_markdown(f"<body>{result.value}</body>")
    title = TITLE.search(result.value)
    return Parsed("docx", text, plain(to_markdown(title[1])[0]) if title else "")
