"""Zip files: those that other formats are made of, and archives of documents.

They are opened only where they unpack to a sane size.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from pathlib import Path

from argot.documents.formats import UnreadableError

# Office files shrink 5 to 50 times; a bomb of zeros a thousand times.
MOST_TIMES, ALWAYS_FINE, NEVER = 100, 64 << 20, 2 << 30
MOST_MEMBERS = 10_000
TYPES, KIND = "[Content_Types].xml", "mimetype"
# The content type of a file's main part. Macros and templates have other names in the middle, and
# a slide show is a deck of slides.
OFFICE = {
    "docx": re.compile(
        rb"(?:wordprocessingml|ms-word)\.(?:document|template)(?:\.macroEnabled\w*)?\.main\+xml"
    ),
    "pptx": re.compile(
        rb"(?:presentationml|ms-powerpoint)\.(?:presentation|slideshow|template)[\w.]*\.main\+xml"
    ),
    "xlsx": re.compile(
        rb"(?:spreadsheetml|ms-excel)\.(?:sheet|template)(?:\.macroEnabled)?\.main\+xml"
    ),
}
MIME = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.presentation": "odp",
    b"application/epub+zip": "epub",
}
MEMBERS = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "META-INF/container.xml": "epub",
}
REFUSED = {
    "xl/workbook.bin": "a binary Excel workbook; save it as .xlsx",
    "Index/Document.iwa": "Apple iWork; export it as .docx, .xlsx, .pptx or .pdf",
    "Index.zip": "Apple iWork; export it as .docx, .xlsx, .pptx or .pdf",
}
# What systems and programs leave in archives and folders beside the documents.
LITTER = ("__MACOSX", "~$", ".")


def open_archive(source: bytes | Path) -> zipfile.ZipFile:
    """A zip file that is whole, not encrypted and no bomb; else UnreadableError.

    Python unpacks no more of a member than its header says, so the headers' sum is the limit.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise UnreadableError("corrupt zip file") from None
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > min(NEVER, max(ALWAYS_FINE, MOST_TIMES * size)):
        raise UnreadableError(f"zip bomb: unpacks to more than {MOST_TIMES} times its size")
    if any(member.flag_bits & 1 for member in archive.infolist()):
        raise UnreadableError("encrypted")
    return archive


def kind_of_archive(data: bytes, suffix: str) -> str:
    """One of READERS by the archive's own declaration, else by its files; zip for an archive of
    documents.
    """
    archive = open_archive(data)
    names = set(archive.namelist())
    if KIND in names:
        mime = _read(archive, KIND).strip().removesuffix(b"-template")
        if mime in MIME:
            return MIME[mime]
    types = _read(archive, TYPES) if TYPES in names else b""
    for kind, pattern in OFFICE.items():
        if pattern.search(types):
            return kind
    for member, kind in MEMBERS.items():
        if member in names:
            return kind
    for member, reason in REFUSED.items():
        if member in names:
            raise UnreadableError(reason)
    if suffix == ".zip":
        return "zip"
    raise UnreadableError("a zip file that is no document; unpack it")


def with_slashes(data: bytes) -> bytes:
    """The zip file with "/" in its names, where a program wrote the backslash of Windows."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        if not any("\\" in name for name in old.namelist()):
            return data
        with zipfile.ZipFile(stream, "w") as new:
            for name in dict.fromkeys(old.namelist()):
                new.writestr(zipfile.ZipInfo(name.replace("\\", "/")), _read(old, name))
    return stream.getvalue()


def members(file: Path) -> list[str]:
    """The names of an archive's files in their order, without folders and litter."""
    with open_archive(file) as archive:
        names = {member.filename for member in archive.infolist() if not member.is_dir()}
    kept = sorted(
        name for name in names if not any(part.startswith(LITTER) for part in _parts(name))
    )
    if len(kept) > MOST_MEMBERS:
        raise UnreadableError(f"holds more than {MOST_MEMBERS:,} files; unpack it")
    return kept


def read_member(file: Path, name: str, megabytes: int) -> bytes:
    """The bytes of one file of an archive; UnreadableError for a link or more than `megabytes`."""
    with open_archive(file) as archive:
        member = archive.getinfo(name)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UnreadableError("a link within an archive")
        if member.file_size > megabytes << 20:
            raise UnreadableError(f"larger than ingest.max_file_megabytes ({megabytes})")
        return _read(archive, member)


def _read(archive: zipfile.ZipFile, member: str | zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(member)
    except MemoryError:
        raise
    except Exception:
        # A damaged member may raise any error of zlib, lzma, bz2 or zipfile.
        raise UnreadableError("corrupt zip file") from None


def place(archive: Path, name: str) -> Path:
    """Where a member would be if the archive were a folder: its name can't lead out of it."""
    return archive.joinpath(*_parts(name))


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".", "..")]
