"""Earlier versions in DVC's cache: which were made from a document, and which of them were not.

DVC writes down every run, with the hashes of what it read and wrote: in dvc.lock, in its history in
git, and in the run cache. Whatever was made from a table that holds the document is followed there,
through files that can't be read for it themselves, such as vectors and counts of words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from argot.erasure.traces import Traces
from argot.report.history import git

RAW = "data/raw"
DOCUMENTS = "data/documents.parquet"
LOCKS = ("dvc.lock", "refresh/dvc.lock")
# What a model learned is no text: it is told apart from what holds the document.
MODELS, TUNED, EMBEDDER, DIRECTORY = "models/", "models/tuned", "embedder/", ".dir"
PARQUET = b"PAR1"


class Run(NamedTuple):
    """What a stage read and what it wrote: hashes by path."""

    deps: dict[str, str]
    outs: dict[str, str]


@dataclass(frozen=True)
class Stores:
    """DVC's cache and those of its remotes that are folders here."""

    folders: list[Path]
    runs: list[Path]  # of the run cache
    elsewhere: dict[str, str]  # addresses of the other remotes, by name

    @classmethod
    def of_repository(cls) -> Stores:
        """Those of the DVC repository in this folder; none where it is none."""
        from dvc.exceptions import NotDvcRepoError
        from dvc.repo import Repo

        try:
            with Repo(".") as repo:
                cache, runs = Path(repo.cache.local.path), Path(repo.stage_cache.cache_dir)
                remotes = {name: str(one["url"]) for name, one in repo.config["remote"].items()}
        except NotDvcRepoError:
            return cls([], [], {})
        here = [Path(url) for url in remotes.values() if "://" not in url]
        elsewhere = {name: url for name, url in remotes.items() if "://" in url}
        return cls(
            [cache, *(folder / "files/md5" for folder in here)],
            [runs, *(folder / "runs" for folder in here)],
            elsewhere,
        )

    def places(self, md5: str) -> list[Path]:
        """The files that hold an object."""
        paths = (folder / md5[:2] / md5[2:] for folder in self.folders)
        return [path for path in paths if path.exists()]

    def files(self, md5: str) -> dict[str, str]:
        """The hashes of a folder's files, by their paths in it; of a file its own, by ""."""
        if not md5.endswith(DIRECTORY):
            return {"": md5}
        for place in self.places(md5):
            return {one["relpath"]: one["md5"] for one in json.loads(place.read_bytes())}
        return {}

    def tables(self) -> Iterator[Path]:
        """All objects that are Parquet files."""
        for folder in self.folders:
            for path in sorted(folder.glob("??/*")):
                if path.suffix != DIRECTORY and is_table(path):
                    yield path


def is_table(path: Path) -> bool:
    """Is this a Parquet file?"""
    with path.open("rb") as file:
        return file.read(4) == PARQUET


def hashes(entries: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The hashes of deps or outs by their paths."""
    return {entry["path"]: entry["md5"] for entry in entries if "md5" in entry}


def recorded(stores: Stores) -> list[Run]:
    """All runs that are written down: in dvc.lock, in its history, in the run cache."""
    texts = [Path(lock).read_text(encoding="utf-8") for lock in LOCKS if Path(lock).exists()]
    for blob in git("rev-list", "--all", "--objects", "--", *LOCKS).splitlines():
        id, _, path = blob.partition(" ")
        texts += [git("cat-file", "-p", id)] if path in LOCKS else []
    stages = []
    for text in texts:
        stages += list((_load(text).get("stages") or {}).values())
    for folder in stores.runs:
        stages += [_load(path.read_text()) for path in sorted(folder.glob("??/*/*"))]
    runs = [Run(hashes(stage.get("deps", ())), hashes(stage.get("outs", ()))) for stage in stages]
    return [run._replace(outs=run.outs | folders(run.outs)) for run in runs]


def folders(outs: dict[str, str]) -> dict[str, str]:
    """The hashes that DVC gives to the folders of these outputs, which other stages may read."""
    found = {}
    for folder in sorted({str(Path(path).parent) for path in outs}):
        files = [
            {"md5": md5, "relpath": Path(path).name}
            for path, md5 in sorted(outs.items())
            if str(Path(path).parent) == folder
        ]
        digest = hashlib.md5(json.dumps(files, sort_keys=True).encode(), usedforsecurity=False)
        found[folder] = f"{digest.hexdigest()}{DIRECTORY}"
    return found


def locked_outs(lock: str) -> dict[str, str]:
    """The outputs that a lock file of this folder names, with their hashes."""
    text = Path(lock).read_text(encoding="utf-8") if Path(lock).exists() else ""
    stages = (_load(text).get("stages") or {}).values()
    return {path: md5 for stage in stages for path, md5 in hashes(stage.get("outs", ())).items()}


def pointers() -> list[tuple[str, str]]:
    """Path and hash of whatever a .dvc file tracks, or ever tracked."""
    texts = {(str(path), path.read_text(encoding="utf-8")) for path in Path("data").rglob("*.dvc")}
    for blob in git("rev-list", "--all", "--objects", "--", "data/*.dvc").splitlines():
        id, _, name = blob.partition(" ")
        if name.endswith(".dvc"):
            texts.add((name, git("cat-file", "-p", id)))
    found = set()
    for name, text in texts:
        for md5 in hashes(_load(text).get("outs", ())).values():
            found.add((name.removesuffix(".dvc"), md5))
    return sorted(found)


def _load(text: str) -> dict[str, Any]:
    try:
        value = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:  # a lock of which git could not merge two sides
        return {}
    return value if isinstance(value, dict) else {}


class Versions:
    """The objects that hold a document, by their hashes, and those that learned from it."""

    def __init__(self, stores: Stores, traces: Traces) -> None:
        self.stores, self.traces = stores, traces
        self.runs = recorded(stores)
        self.out_paths = {path for run in self.runs for path in run.outs}

    @cached_property
    def objects(self) -> set[str]:
        """What is to be deleted: the document, tables, vectors; no model, and nothing clean."""
        found = self.sources | self.segments | self.holding
        for md5 in self.holding:
            files = self.stores.files(md5).items()
            found |= {file for name, file in files if not name.startswith(EMBEDDER)}
        spared = {file for md5 in self.clean for file in self.stores.files(md5).values()}
        return found - self.clean - spared

    @cached_property
    def sources(self) -> set[str]:
        """The objects of the document's own file. Other names of the same bytes become copies."""
        raw = {(RAW, run.deps[RAW]) for run in self.runs if RAW in run.deps}
        names: dict[str, set[str]] = {}  # by hash
        for path, md5 in sorted({*raw, *pointers()}):
            for name, file in self.stores.files(md5).items():
                whole = f"{path}/{name}".rstrip("/")
                if whole.startswith(f"{RAW}/"):
                    names.setdefault(file, set()).add(whole.removeprefix(f"{RAW}/"))
        found = set()
        for md5, called in names.items():
            others = {name for name in called if not self.traces.is_named(name)}
            if others < called:
                self.traces.copies |= others
                found |= set() if any(Path(RAW, name).exists() for name in others) else {md5}
        return found

    @cached_property
    def segments(self) -> set[str]:
        """Files of lines that .dvc files track, such as replies, and that name a passage."""
        found = set()
        for path, md5 in pointers():
            files = self.stores.files(md5).values()
            for file in () if f"{path}/".startswith(f"{RAW}/") else files:
                places = self.stores.places(file)
                if any(self.traces.in_text(place.read_bytes()) for place in places):
                    found.add(file)
        return found

    @cached_property
    def tables(self) -> set[str]:
        """The tables that name the document or its passages."""
        return {
            f"{path.parent.name}{path.name}"
            for path in self.stores.tables()
            if self.traces.in_table(path)
        }

    @cached_property
    def clean(self) -> set[str]:
        """What was made from a table of documents that is here, and is without the document.

        Equal bytes are equal versions: an object that was made without the document, too, holds
        nothing of it.
        """
        known: set[str] = set()
        while True:
            runs = [run for run in self.runs if self._is_clean(run, known)]
            found = {md5 for run in runs for md5 in run.outs.values()}
            if found <= known:
                return known
            known |= found

    def _is_clean(self, run: Run, known: set[str]) -> bool:
        if any(self._is_held(md5) for md5 in run.outs.values()):
            return False
        documents = next((md5 for path, md5 in run.outs.items() if path.endswith(DOCUMENTS)), "")
        if documents:
            return bool(self.stores.places(documents))
        return all(
            md5 in known or path not in self.out_paths or path.startswith(MODELS)
            for path, md5 in run.deps.items()
        )

    def _is_held(self, md5: str) -> bool:
        return not self.tables.isdisjoint(self.stores.files(md5).values())

    @cached_property
    def holding(self) -> set[str]:
        """The outputs that hold the document, files and folders, without trained models."""
        outs = [
            run.outs.values() for run in self.runs if any(map(self._is_held, run.outs.values()))
        ]
        return self._followed(self.tables.union(*outs), through_models=False)

    @cached_property
    def learned(self) -> set[str]:
        """The models that were trained on it, and what was made by them."""
        return self._followed(self.holding, through_models=True)

    @cached_property
    def doubtful(self) -> set[str]:
        """What was made from tables of documents that are not here, so that none can say."""
        unread = {
            md5
            for run in self.runs
            for path, md5 in run.outs.items()
            if path.endswith(DOCUMENTS) and not self.stores.places(md5)
        }
        return self._followed(unread, through_models=True) - self.learned

    def _followed(self, start: set[str], through_models: bool) -> set[str]:
        """What was made from these, from what was made from them, and so on."""
        found: set[str] = set()
        more = start - self.clean
        while more - found:
            found |= more
            for run in self.runs:
                read = {
                    md5
                    for path, md5 in run.deps.items()
                    if through_models or not path.startswith(MODELS)
                }
                if read & found:
                    outs = run.outs.items()
                    more |= {md5 for path, md5 in outs if through_models or path != TUNED}
            more -= self.clean
        return found
