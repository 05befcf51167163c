"""Read the documents below data/raw into one table of Markdown."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from argot.errors import InputError
from argot.formats import Parsed, UnreadableError
from argot.markdown import blocks
from argot.params import Settings, load
from argot.stage import run, write_figures
from argot.tables import documents
from argot.tables.parquet import write_table

RAW = Path("data/raw")
WORD = re.compile(r"\w+")


class IngestSettings(Settings):
    """Which documents are read, and what is refused."""

    max_failed_share: float = Field(ge=0, le=1)
    max_file_megabytes: int = Field(ge=1)
    max_seconds: int = Field(ge=1)
    max_memory_megabytes: int = Field(ge=64)
    near_duplicate: float = Field(gt=0, le=1)
    language: str


def main() -> str:
    """Read every file, write the table, count what was refused."""
    settings = load("ingest", IngestSettings)
    files = find(RAW)
    rows, refused = [], []
    for file in files:
        try:
            rows.append(row(file, read(file), settings))
        except UnreadableError as error:
            refused.append({"document": file.relative_to(RAW).as_posix(), "reason": str(error)})
    write_table(documents.PATH, rows, documents.SCHEMA)
    write_figures("ingest", figures(rows, refused))
    return f"{len(files):,} files → {len(rows):,} documents; {len(refused):,} refused"


def find(folder: Path) -> list[Path]:
    """The files below a folder by path; those whose name, or whose folder's, begins with a dot are not documents."""
    files = sorted(_walk(folder), key=lambda path: path.relative_to(folder).as_posix()) if folder.is_dir() else []
    if not files:
        raise InputError(f"{folder} holds no documents; put Markdown, HTML, PDF, Office or mail files there")
    return files


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root) / name for name in names if not name.startswith("."))


def read(file: Path) -> Parsed:
    """What a file holds; UnreadableError tells why it can't be read."""
    from argot.formats.html import read_html
    from argot.formats.text import read_markdown, read_text

    data = file.read_bytes()
    if file.suffix.lower() in {".html", ".htm", ".xhtml"}:
        return read_html(data)
    return read_markdown(data) if file.suffix.lower() in {".md", ".markdown"} else read_text(data)


def row(file: Path, parsed: Parsed, settings: IngestSettings) -> dict[str, Any]:
    """The table's row of a document."""
    name = file.relative_to(RAW).as_posix()
    return {
        "document": name,
        "title": parsed.title or _title(parsed.text) or file.stem,
        "text": parsed.text,
        "format": parsed.format,
        "language": "en" if settings.language == "auto" else settings.language,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "group": name,
        "metadata": json.dumps(parsed.metadata, sort_keys=True, ensure_ascii=False),
    }


def _title(text: str) -> str:
    """The one heading of level 1, where there is one."""
    titles = [block.title for block in blocks(text) if block.kind == "heading" and block.level == 1]
    return titles[0] if len(titles) == 1 else ""


def figures(rows: Sequence[dict[str, Any]], refused: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What was read and what was not, with its reasons."""
    return {
        "documents": len(rows),
        "words": sum(len(WORD.findall(row["text"])) for row in rows),
        "formats": Counter(row["format"] for row in rows),
        "languages": Counter(row["language"] for row in rows),
        "near_duplicates": sum(row["group"] != row["document"] for row in rows),
        "refused": len(refused),
        "refused_reasons": Counter(entry["reason"] for entry in refused),
        "refused_documents": list(refused),
    }


if __name__ == "__main__":
    run("ingest", main)
