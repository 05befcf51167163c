"""The folder of brought pairs: each file's form, and all pairs in the order of files and lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from argot.queries.brought.beir import folder_pairs, is_beir
from argot.queries.brought.clicks import Click, click, clicked_pairs, is_click
from argot.queries.brought.llama_index import dataset_pairs
from argot.queries.brought.own import is_own, own_pairs
from argot.queries.brought.pair import BroughtPair
from argot.queries.brought.rows import READERS, read_rows
from argot.queries.brought.sentence_transformers import is_pair, library_pairs
from argot.queries.refusals import Refusals, Refused

FORMS = ((is_own, own_pairs), (is_pair, library_pairs))
KNOWN = "expected 'queries', or 'anchor' and 'positive', or 'query', 'document' and 'count'"


def read_brought(folder: Path, min_clicks: int, refusals: Refusals) -> Iterator[BroughtPair]:
    """All pairs below `folder`; what can't be read is refused."""
    clicks: list[Click] = []
    benchmarks = [path for path in sorted(folder.rglob("*")) if path.is_dir() and is_beir(path)]
    for benchmark in benchmarks:
        yield from folder_pairs(benchmark, refusals)
    for path in sorted(folder.rglob("*")):
        # DVC's own files lie beside the data that it tracks.
        if not path.is_file() or path.name.startswith((".", "README")) or path.suffix == ".dvc":
            continue
        if not any(benchmark in path.parents for benchmark in benchmarks):
            yield from file_pairs(path, clicks, refusals)
    yield from clicked_pairs(clicks, min_clicks, refusals)


def file_pairs(path: Path, clicks: list[Click], refusals: Refusals) -> Iterator[BroughtPair]:
    """The pairs of a file; its clicks are added to `clicks`, because other files have more."""
    if path.suffix in READERS:
        yield from pairs_of_rows(path, clicks, refusals)
        return
    try:
        if path.suffix != ".json":
            endings = ", ".join([*READERS, ".json"])
            raise Refused("unknown form", f"expected a file named *{endings}; rename or remove it")
        yield from dataset_pairs(path, refusals)
    except Refused as refused:
        refusals.add(str(path), refused)


def pairs_of_rows(path: Path, clicks: list[Click], refusals: Refusals) -> Iterator[BroughtPair]:
    """The pairs of a file of rows; the names of its columns say which form a row has."""
    for row in read_rows(path, refusals):
        try:
            if is_click(row):
                clicks.append(click(row))
                continue
            read = next((read for is_form, read in FORMS if is_form(row)), None)
            if read is None:
                found = ", ".join(row.values)
                raise Refused("unknown form", f"{KNOWN}; found {found or 'nothing'}")
            yield from read(row)
        except Refused as refused:
            refusals.add(row.place, refused)
