"""Read the documents below data/raw into one table of Markdown."""

from __future__ import annotations

import json
import mimetypes
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from argot.core.params import Settings, load
from argot.core.parquet import write_table
from argot.core.stage import HERE, run_in_home, write_figures
from argot.documents.formats import Parsed
from argot.documents.formats.archive import LITTER
from argot.documents.formats.properties import is_default_title
from argot.documents.formats.repeated import leave_out_repeated
from argot.documents.formats.sidecar import (
    check_sidecars,
    folder_metadata,
    is_sidecar,
    own_metadata,
)
from argot.documents.formats.workers import Limits, Read, read_all
from argot.documents.markdown import blocks
from argot.documents.near_duplicates import group
from argot.documents.words import WORD, count_words
from argot.errors import InputError
from argot.tables import documents

RAW = Path("data/raw")
# Pictures, sounds and the like are no documents: they are refused by name, but are no failure.
NO_DOCUMENT = {"image", "audio", "video", "font"}
LANGUAGE_SAMPLE, LANGUAGE_WORDS = 2000, 5
# In characters, since each passage repeats them: of a title, of one value of the metadata, of all
# of them as JSON.
LONGEST_TITLE, LONGEST_VALUE, LONGEST_METADATA = 300, 2_000, 10_000


class IngestSettings(Settings):
    """Which documents are read, and what is refused."""

    max_failed_share: float = Field(ge=0, le=1)
    max_file_megabytes: int = Field(ge=1)
    max_seconds: int = Field(ge=1)
    max_memory_megabytes: int = Field(ge=256)
    near_duplicate: float = Field(gt=0, le=1)
    language: str = Field(pattern="^(auto|[a-z]{2})$")


class IngestMachine(Settings):
    """How many files are read at once."""

    workers: int = Field(ge=0)


def main(home: Path = HERE) -> str:
    """Read every file, write the table, count what was refused."""
    from tqdm import tqdm

    settings = load("ingest", IngestSettings)
    limits = Limits(
        settings.max_file_megabytes, settings.max_seconds, settings.max_memory_megabytes
    )
    files = find(RAW)
    results = read_all(RAW, files, limits, load("machine.ingest", IngestMachine).workers)
    rows, refused, left_out = [], [], []
    for file, result in tqdm(
        results, total=len(files), unit="file", desc="ingest", disable=None, delay=2
    ):
        if not isinstance(result, Read):
            printable = _id(file).encode(errors="replace").decode()
            refused.append({"document": printable, "reason": str(result)})
            continue
        rows.append(row(file, result))
        metadata = result.parsed.metadata
        if too_long := sorted(metadata.keys() - fitting(metadata).keys()):
            left_out.append({"document": _id(file), "keys": too_long})
    total = len(rows) + len(refused)  # more than there are files: an archive holds many
    check(total, refused, settings.max_failed_share)
    if not rows:
        raise InputError(f"{RAW}: none of {total} files could be read: {_named(refused)}")
    repeated = leave_out_repeated(rows)
    set_languages(rows, settings.language)
    group(rows, settings.near_duplicate)
    write_table(home / documents.PATH, rows, documents.SCHEMA)
    counts = figures(rows, refused) | {"metadata_left_out": left_out, "repeated_text": repeated}
    write_figures("ingest", counts, home)
    scanned = sum(len(entry["pages"]) for entry in counts["pages_without_text"])
    pages = f"; {scanned:,} pages are pictures without text" if scanned else ""
    return f"{total:,} files → {len(rows):,} documents; {len(refused):,} refused{pages}"


def find(folder: Path) -> list[Path]:
    """The documents' files below a folder, sorted by path.

    Files of metadata, Office's lock files and names that begin with a dot are left out. Raises
    InputError where nothing is left, or a file of metadata belongs to no document.
    """
    walked = _walk(folder) if folder.is_dir() else ()
    files = sorted(walked, key=lambda path: path.relative_to(folder).as_posix())
    if not files:
        raise InputError(
            f"{folder} holds no documents; put Markdown, HTML, PDF, Office or mail files there"
        )
    check_sidecars(folder, files)
    return files


def _walk(folder: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise InputError(
            f"{error.filename}: {error.strerror}; make the folder readable, or move it away"
        )

    for root, folders, names in os.walk(folder, onerror=unreadable):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(LITTER) and name not in links]
        for name in [*names, *links]:
            if not name.startswith(LITTER) and not is_sidecar(name):
                yield Path(root) / name


def check(total: int, refused: Sequence[dict[str, str]], most: float) -> None:
    """Fail when too many files were refused."""
    failed = [entry for entry in refused if not _is_media(entry["document"])]
    if len(failed) > most * total:
        share = f"more than ingest.max_failed_share ({most}) allows"
        raise InputError(f"{len(failed)} of {total} files can't be read, {share}: {_named(failed)}")


def _named(refused: Sequence[dict[str, str]]) -> str:
    first = ", ".join(f"{entry['document']} ({entry['reason']})" for entry in refused[:3])
    return f"{first} and {len(refused) - 3} more" if len(refused) > 3 else first


def _is_media(name: str) -> bool:
    return (mimetypes.guess_type(name)[0] or "").split("/")[0] in NO_DOCUMENT


def _id(file: Path) -> str:
    return file.relative_to(RAW).as_posix()


def row(file: Path, read: Read) -> dict[str, Any]:
    """The table's row of a document; its language and its group are set once all are read.

    Its own metadata replace those of its folders, and those written beside it replace both.
    """
    parsed = read.parsed
    beside = own_metadata(RAW, file)
    metadata = folder_metadata(RAW, file) | fitting(parsed.metadata) | beside
    return {
        "document": _id(file),
        "title": _words(str(beside.get("title") or "")) or _title(file, parsed),
        "text": parsed.text,
        "format": parsed.format,
        "language": "",
        "sha256": read.sha256,
        "group": "",
        "metadata": json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False),
        "pages": parsed.pages,
    }


def fitting(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata without values too long to filter by: every passage of the document has a copy."""
    sizes = {key: len(json.dumps({key: value})) for key, value in metadata.items()}
    kept = sorted(metadata, key=lambda key: (sizes[key], key))
    while kept and (
        sizes[kept[-1]] > LONGEST_VALUE or sum(sizes[key] for key in kept) > LONGEST_METADATA
    ):
        kept.pop()
    return {key: metadata[key] for key in metadata if key in kept}


def _title(file: Path, parsed: Parsed) -> str:
    """The title in the file, else its only heading of level 1, else the file's name.

    Code is called by its path, as people name it.
    """
    if parsed.format == "code":
        return _id(file)
    title = _words(parsed.title)
    if title and not is_default_title(title):
        return title
    headings = [block for block in blocks(parsed.text) if block.kind == "heading"]
    titles = [heading.title for heading in headings if heading.level == 1]
    if len(titles) == 1 and titles[0]:
        return titles[0]
    return file.stem.replace("_", " ").replace("-", " ")


def _words(title: str) -> str:
    return " ".join(title.split())[:LONGEST_TITLE]


def set_languages(rows: Sequence[dict[str, Any]], language: str) -> None:
    """Set each document's language: the given one, or for "auto" what py3langid detects.

    A document of a few words gets the language of most documents.
    """
    from py3langid import classify

    unsure = []
    for row in rows:
        words = WORD.findall(row["text"][:LANGUAGE_SAMPLE])
        row["language"] = language if language != "auto" else classify(" ".join(words))[0]
        if language == "auto" and (len(words) < LANGUAGE_WORDS or len(row["language"]) != 2):
            unsure.append(row)
            row["language"] = ""
    sure = Counter(row["language"] for row in rows if row["language"])
    most = min(sure, key=lambda code: (-sure[code], code), default="en")
    for row in unsure:
        row["language"] = most


def figures(rows: Sequence[dict[str, Any]], refused: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What was read and what was not, with its reasons."""
    return {
        "documents": len(rows),
        "words": sum(count_words(row["text"]) for row in rows),
        "formats": Counter(row["format"] for row in rows),
        "languages": Counter(row["language"] for row in rows),
        "near_duplicates": sum(row["group"] != row["document"] for row in rows),
        "pages_without_text": [
            _pages(row) for row in rows if "pages_without_text" in row["metadata"]
        ],
        "refused": len(refused),
        "refused_reasons": Counter(entry["reason"] for entry in refused),
        "refused_documents": list(refused),
    }


def _pages(row: dict[str, Any]) -> dict[str, Any]:
    """A document of which some pages are pictures: which, and of how many."""
    metadata = json.loads(row["metadata"])
    return {
        "document": row["document"],
        "pages": metadata["pages_without_text"],
        "of": metadata["pages"],
    }


if __name__ == "__main__":
    run_in_home("ingest", main)
