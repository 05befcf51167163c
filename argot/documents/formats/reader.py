"""Which reader a file is for: by its content where that is clear, else by its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from argot.documents.formats import (
    Parsed,
    UnreadableError,
    asciidoc,
    code,
    delimited,
    epub,
    html,
    mail,
    markup,
    notebook,
    opendocument,
    org,
    pdf,
    plain,
    restructured,
    rtf,
    sheets,
    slides,
    word,
)
from argot.documents.formats.archive import kind_of_archive, with_slashes

# The reader of each kind; each imports its library only when a file of that kind comes.
READERS: dict[str, Callable[[bytes], Parsed]] = {
    "markdown": markup.read_markdown,
    "text": plain.read_text,
    "rst": restructured.read_rst,
    "asciidoc": asciidoc.read_asciidoc,
    "org": org.read_org,
    "config": code.read_config,
    **{language: code.reader_of(language) for language in code.LANGUAGES},
    "notebook": notebook.read_notebook,
    "html": html.read_html,
    "csv": delimited.read_csv,
    "xlsx": sheets.read_xlsx,
    "docx": word.read_docx,
    "pptx": slides.read_pptx,
    "odt": opendocument.read_odt,
    "ods": opendocument.read_ods,
    "odp": opendocument.read_odp,
    "rtf": rtf.read_rtf,
    "epub": epub.read_epub,
    "pdf": pdf.read_pdf,
    "eml": mail.read_mail,
}
SUFFIXES = {
    "markdown": ".md .markdown .mdown .mkd .mdx .qmd .rmd",
    "rst": ".rst .rest",
    "asciidoc": ".adoc .asciidoc .asc",
    "org": ".org",
    "html": ".html .htm .xhtml",
    "csv": ".csv .tsv .tab",
    "eml": ".eml",
    "notebook": ".ipynb",
    **code.LANGUAGES,
    "config": ".sh .sql .css .tf .json .jsonl .yaml .yml .toml .ini .xml",
}
KIND_OF = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes.split()}
BINARY = {
    f".{kind}": kind for kind in ("pdf", "docx", "pptx", "xlsx", "epub", "odt", "ods", "odp", "rtf")
} | {
    ".ppsx": "pptx",
    ".zip": "zip file",
}
HTML = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
ZIP = b"PK\x03\x04", b"PK\x05\x06"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def parse(name: str, data: bytes) -> Parsed:
    """Read a file's bytes; UnreadableError says in a few words why they can't be read."""
    if not data.strip():
        raise UnreadableError("empty")
    kind = kind_of(name, data)
    if kind == "zip":
        raise UnreadableError("an archive within an archive; unpack it")
    try:
        parsed = READERS[kind](with_slashes(data) if data.startswith(ZIP) else data)
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
    """The kind of a file, one of READERS, or zip."""
    suffix = PurePath(name).suffix.lower()
    # Some programs write a line before a PDF's first; a manual may speak of "%PDF-" and is none.
    if b"%PDF-" in data[:1024] and (
        suffix == ".pdf" or data.startswith(b"%PDF-") or b"startxref" in data[-2048:]
    ):
        return "pdf"
    if data.startswith(ZIP):
        return kind_of_archive(data, suffix)
    if data.startswith(OLE):
        hidden = suffix in BINARY or ENCRYPTED_PACKAGE in data
        raise UnreadableError(
            "encrypted" if hidden else "old Office format; save it as .docx, .xlsx, .pptx or .eml"
        )
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if suffix in BINARY:
        raise UnreadableError(f"corrupt {BINARY[suffix]}")
    if suffix not in KIND_OF and HTML.match(data[:4096]):
        return "html"
    return KIND_OF.get(suffix, "text")
