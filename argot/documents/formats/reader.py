"""Which reader a file is for: by its content where that tells, else by its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from argot.documents.formats import (
    Parsed,
    UnreadableError,
    epub,
    html,
    mail,
    markup,
    pdf,
    plain,
    sheets,
    slides,
    text,
    word,
)

# The reader of each kind; each imports its library only when a file of that kind comes.
READERS: dict[str, Callable[[bytes], Parsed]] = {
    "markdown": markup.read_markdown,
    "text": plain.read_text,
    "code": text.read_code,
    "html": html.read_html,
    "csv": sheets.read_csv,
    "xlsx": sheets.read_xlsx,
    "docx": word.read_docx,
    "pptx": slides.read_pptx,
    "epub": epub.read_epub,
    "pdf": pdf.read_pdf,
    "eml": mail.read_mail,
}
SUFFIXES = {
    "markdown": ".md .markdown .mdown .mkd .mdx .qmd .rmd",
    "html": ".html .htm .xhtml",
    "csv": ".csv .tsv .tab",
    "eml": ".eml",
    "code": ".py .js .ts .java .c .h .cc .cpp .cs .go .rs .rb .php .sh .sql .css .tf "
    ".json .jsonl .yaml .yml .toml .ini .xml .ipynb",
}
KIND_OF = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes.split()}
BINARY = {".pdf": "pdf", ".docx": "docx", ".pptx": "pptx", ".xlsx": "xlsx", ".epub": "epub"}
HTML = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def parse(name: str, data: bytes) -> Parsed:
    """Read a file's bytes; UnreadableError tells in a few words why that can't be done."""
    if not data.strip():
        raise UnreadableError("empty")
    kind = kind_of(name, data)
    try:
        parsed = READERS[kind](data)
    except (UnreadableError, MemoryError):
        raise
    except RecursionError:
        raise UnreadableError("nested too deeply") from None
    except Exception:
        # Whatever a parser stumbles over, the file is to blame and not the run.
        raise UnreadableError(f"corrupt {kind}") from None
    if not parsed.text.strip():
        raise UnreadableError("holds no text")
    return parsed


def kind_of(name: str, data: bytes) -> str:
    """The kind of a file, one of READERS."""
    from argot.documents.formats.archive import kind_of_archive

    suffix = PurePath(name).suffix.lower()
    # Junk before its head is allowed. A text that only speaks of it doesn't end as a PDF does.
    if data.startswith(b"%PDF-") or (b"%PDF-" in data[:1024] and b"startxref" in data[-2048:]):
        return "pdf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return kind_of_archive(data)
    if data.startswith(OLE):
        hidden = suffix in BINARY or ENCRYPTED_PACKAGE in data
        raise UnreadableError(
            "encrypted" if hidden else "old Office format; save it as .docx, .xlsx, .pptx or .eml"
        )
    if data.startswith(b"{\\rtf"):
        raise UnreadableError("RTF; save it as .docx")
    if suffix in BINARY:
        raise UnreadableError(f"corrupt {BINARY[suffix]}")
    if suffix not in KIND_OF and HTML.match(data[:4096]):
        return "html"
    return KIND_OF.get(suffix, "text")
