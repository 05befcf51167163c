"""Zip files that other formats are made of: opened only where they unpack to a sane size."""

from __future__ import annotations

import io
import zipfile

from argot.documents.formats import UnreadableError

# Office files shrink 5 to 50 times; a bomb of zeros a thousand times.
MOST_TIMES, ALWAYS_FINE, NEVER = 100, 64 << 20, 2 << 30
MEMBERS = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "META-INF/container.xml": "epub",
}


def open_archive(data: bytes) -> zipfile.ZipFile:
    """A zip file that is whole, not encrypted and no bomb. Python unpacks no more of a member than its header tells."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise UnreadableError("corrupt zip file") from None
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > min(NEVER, max(ALWAYS_FINE, MOST_TIMES * len(data))):
        raise UnreadableError(f"zip bomb: unpacks to more than {MOST_TIMES} times its size")
    if any(member.flag_bits & 1 for member in archive.infolist()):
        raise UnreadableError("encrypted")
    return archive


def kind_of_archive(data: bytes) -> str:
    """docx, pptx, xlsx or epub, by what stands in the archive."""
    names = set(open_archive(data).namelist())
    for member, kind in MEMBERS.items():
        if member in names:
            return kind
    raise UnreadableError("a zip file that is no document; unpack it")
