"""Word files (DOCX) become Markdown. mammoth reads them by their styles.

Before that, `written_out` puts what mammoth would leave out into the file as text.
"""

from __future__ import annotations

import io
import re

from argot.documents.formats import Parsed
from argot.documents.formats.html import to_markdown
from argot.documents.formats.office import about
from argot.documents.formats.word_headings import HEADING
from argot.documents.formats.word_text import written_out
from argot.documents.markdown import plain

TITLE = re.compile(r'<h1 class="title">(.*?)</h1>', re.DOTALL)
STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='Code'] => pre:separator('\n')
p[style-name='HTML Preformatted'] => pre:separator('\n')
p[style-name='Source Code'] => pre:separator('\n')
""" + "\n".join(f"p.{HEADING}{level} => h{level}:fresh" for level in range(1, 7))


def read_docx(data: bytes) -> Parsed:
    """Headings, lists, tables and notes by their styles; pictures are left out."""
    import mammoth

    result = mammoth.convert_to_html(
        io.BytesIO(written_out(data)),
        style_map=STYLES,
        convert_image=mammoth.images.img_element(lambda image: {"src": ""}),
    )
    text, _ = to_markdown(f"<body>{result.value}</body>")
    written = TITLE.search(result.value)
    title, metadata = about(data)
    if written:
        title = plain(to_markdown(written[1])[0])
    return Parsed("docx", text, "" if text.startswith("# ") and not written else title, metadata)
