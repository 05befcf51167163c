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

from argot.errors import InputError
from argot.formats.workers import Limits, Read, read_all
from argot.markdown import blocks
from argot.params import Settings, load
from argot.stage import HERE, run_in_home, write_figures
from argot.tables import documents
from argot.tables.parquet import write_table
from argot.words import WORD, count_words

RAW = Path("data/raw")
# Pictures, sounds and the like stand beside documents and are none: named and counted, but no failure.
NO_DOCUMENT = {"image", "audio", "video", "font"}
SHINGLE, PERMUTATIONS, SEED = 5, 128, 13
# How sure the index of near-duplicates must be to find a pair at the threshold.
RECALL = 0.999
LANGUAGE_SAMPLE, LANGUAGE_WORDS = 2000, 5


class IngestSettings(Settings):
    """Which documents are read, and what is refused."""

    max_failed_share: float = Field(ge=0, le=1)
    max_file_megabytes: int = Field(ge=1)
    max_seconds: int = Field(ge=1)
    max_memory_megabytes: int = Field(ge=256)
    near_duplicate: float = Field(gt=0, le=1)
    language: str = Field(pattern="^(auto|[a-z]{2})$")


class Machine(Settings):
    """How many files are read at once."""

    workers: int = Field(ge=0)


def main(home: Path = HERE) -> str:
    """Read every file, write the table, count what was refused."""
    from tqdm import tqdm

    settings = load("ingest", IngestSettings)
    limits = Limits(settings.max_file_megabytes, settings.max_seconds, settings.max_memory_megabytes)
    files = find(RAW)
    results = read_all(RAW, files, limits, load("machine.ingest", Machine).workers)
    rows, refused = [], []
    for file, result in tqdm(results, total=len(files), unit="file", desc="ingest", disable=None, delay=2):
        if isinstance(result, Read):
            rows.append(row(file, result))
        else:
            refused.append({"document": _id(file).encode(errors="replace").decode(), "reason": str(result)})
    check(len(files), refused, settings.max_failed_share)
    if not rows:
        raise InputError(f"{RAW}: none of {len(files)} files could be read: {_named(refused)}")
    tell_languages(rows, settings.language)
    group(rows, settings.near_duplicate)
    write_table(home / documents.PATH, rows, documents.SCHEMA)
    counts = figures(rows, refused)
    write_figures("ingest", counts, home)
    scanned = sum(len(entry["pages"]) for entry in counts["pages_without_text"])
    pages = f"; {scanned:,} pages are pictures without text" if scanned else ""
    return f"{len(files):,} files → {len(rows):,} documents; {len(refused):,} refused{pages}"


def find(folder: Path) -> list[Path]:
    """The files below a folder by path; those whose name, or whose folder's, begins with a dot are not documents."""
    files = sorted(_walk(folder), key=lambda path: path.relative_to(folder).as_posix()) if folder.is_dir() else []
    if not files:
        raise InputError(f"{folder} holds no documents; put Markdown, HTML, PDF, Office or mail files there")
    return files


def _walk(folder: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise InputError(f"{error.filename}: {error.strerror}; make the folder readable, or move it away")

    for root, folders, names in os.walk(folder, onerror=unreadable):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".") and name not in links]
        yield from (Path(root) / name for name in [*names, *links] if not name.startswith("."))


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
    """The table's row of a document; language and group are told once all are read."""
    parsed = read.parsed
    return {
        "document": _id(file),
        "title": " ".join(parsed.title.split()) or _title(parsed.text) or file.stem.replace("_", " ").replace("-", " "),
        "text": parsed.text,
        "format": parsed.format,
        "language": "",
        "sha256": read.sha256,
        "group": "",
        "metadata": json.dumps(parsed.metadata, sort_keys=True, ensure_ascii=False, allow_nan=False),
    }


def _title(text: str) -> str:
    """The one heading of level 1, where there is one."""
    titles = [block.title for block in blocks(text) if block.kind == "heading" and block.level == 1]
    return titles[0] if len(titles) == 1 else ""


def tell_languages(rows: Sequence[dict[str, Any]], language: str) -> None:
    """Set each document's language: as told, or as py3langid tells; of a few words it is that of most documents."""
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


def group(rows: Sequence[dict[str, Any]], threshold: float) -> None:
    """Set each document's group: the smallest path among its near-duplicates and theirs (MinHash, Broder 1997)."""
    from rensa import RMinHash, RMinHashLSH

    leaders: dict[tuple[int, ...], int] = {}  # the first of those with the same signature
    signatures: list[tuple[int, ...]] = []
    index = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=bands(threshold))
    parents = list(range(len(rows)))
    for number, row in enumerate(rows):
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
        sketch.update(shingles(row["text"]))
        signatures.append(tuple(sketch.digest()))
        leader = leaders.setdefault(signatures[number], number)
        parents[number] = leader
        if leader == number:
            for other in index.query(sketch):
                if _similarity(signatures[number], signatures[other]) >= threshold:
                    _join(parents, number, other)
            index.insert(number, sketch)
    for number, row in enumerate(rows):
        row["group"] = rows[_root(parents, number)]["document"]


def shingles(text: str) -> list[str]:
    """Runs of five words, whatever their case; a shorter text is one."""
    words = WORD.findall(text.lower())
    runs = zip(*(words[offset:] for offset in range(SHINGLE)), strict=False)
    return [" ".join(run) for run in runs] or [" ".join(words)]


def bands(threshold: float) -> int:
    """The fewest bands of a signature that find a pair at the threshold: 1 - (1 - t^rows)^bands ≥ RECALL."""
    fits = (count for count in (4, 8, 16, 32, 64) if (1 - threshold ** (PERMUTATIONS // count)) ** count <= 1 - RECALL)
    return next(fits, PERMUTATIONS)


def _similarity(one: Sequence[int], other: Sequence[int]) -> float:
    return sum(map(int.__eq__, one, other)) / PERMUTATIONS


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def _join(parents: list[int], one: int, other: int) -> None:
    """Rows stand in the order of paths: the smaller number is the smaller path."""
    first, second = sorted((_root(parents, one), _root(parents, other)))
    parents[second] = first


def figures(rows: Sequence[dict[str, Any]], refused: Sequence[dict[str, str]]) -> dict[str, Any]:
    """What was read and what was not, with its reasons."""
    return {
        "documents": len(rows),
        "words": sum(count_words(row["text"]) for row in rows),
        "formats": Counter(row["format"] for row in rows),
        "languages": Counter(row["language"] for row in rows),
        "near_duplicates": sum(row["group"] != row["document"] for row in rows),
        "pages_without_text": [_pages(row) for row in rows if "pages_without_text" in row["metadata"]],
        "refused": len(refused),
        "refused_reasons": Counter(entry["reason"] for entry in refused),
        "refused_documents": list(refused),
    }


def _pages(row: dict[str, Any]) -> dict[str, Any]:
    """A document of which some pages are pictures: which, and of how many."""
    metadata = json.loads(row["metadata"])
    return {"document": row["document"], "pages": metadata["pages_without_text"], "of": metadata["pages"]}


if __name__ == "__main__":
    run_in_home("ingest", main)
