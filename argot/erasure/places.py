"""Everywhere a document is kept, and what can be done there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from argot.core.files import replacing
from argot.encoding.kept import KEPT, count_kept, forget
from argot.erasure.traces import Traces
from argot.erasure.versions import (
    LOCKS,
    RAW,
    TUNED,
    Stores,
    Versions,
    is_table,
    locked_outs,
)
from argot.errors import InputError
from argot.feedback.journal import exclusive
from argot.llm.calls.store import OPEN, REPLIES, Store
from argot.report.history import git
from argot.search.release import MANIFEST, read_manifest
from argot.search.remote import kept_releases

SIDECAR, POINTER = ".meta.yaml", ".dvc"
CHECKPOINTS = Path("cache/train")
# Folders of what Argot writes: a table or lines in them are its own. Elsewhere they are a person's.
OURS = {"data", "logs", "refresh"}
# What a person brought: only entries go, in the forms that `questions` and `synthesize` read.
GIVEN = (Path("data/queries"), Path("data/own-pairs"))
Cut = Callable[[Traces, bytes], tuple[bytes, int]]
CUTS: dict[str, Cut] = {
    ".jsonl": Traces.lines_without,
    ".csv": Traces.rows_without,
    ".tsv": partial(Traces.rows_without, delimiter="\t"),
    ".json": Traces.dataset_without,
    ".parquet": Traces.table_without,
}
# Their numbers are made from all documents, and hold the text of none.
NUMBERS = {"reports/metrics.json", "reports/plots"}
ABOUT = "about.json"  # of an export
BLOCK = 8192


class Place(NamedTuple):
    """Where something of the document is; `erase` deletes it, and is None where a person must."""

    where: str
    what: str
    erase: Callable[[], None] | None = None


def gather(document: str, stores: Stores, more: Iterable[Path]) -> Traces:
    """All that the tables here know of a document: in this folder, in `more`, in the stores."""
    traces = Traces(document)
    folders = [Path(), *more, *kept_releases()]
    found = (path for folder in folders for path in walk(folder) if path.suffix == ".parquet")
    here = (path for path in found if not _is_given(path))
    for table in (*filter(is_table, here), *stores.tables()):
        traces.learn(table)
    return traces


def walk(folder: Path) -> Iterator[Path]:
    """The files of a folder, without hidden ones and those of projects inside it."""
    for root, folders, names in os.walk(folder):
        inner = [name for name in sorted(folders) if not name.startswith(".")]
        folders[:] = [name for name in inner if not (Path(root) / name / ".git").exists()]
        yield from (Path(root) / name for name in sorted(names))


def find(traces: Traces, versions: Versions, more: Iterable[Path]) -> Iterator[Place]:
    """Every place, in the order in which they can be erased: what knows most of it goes last."""
    outs = [Path(path) for path in made_from_it(versions)]
    yield from source(traces)
    files = [*in_folder(Path(), traces, outs)]
    for folder in (*more, *kept_releases()):
        files += in_folder(folder, traces, [])
    yield from replies(traces)
    yield from caches(traces)
    yield from sorted(files, key=lambda place: place.erase is None)
    yield from objects(versions)
    yield from (Place(str(path), "made from it", partial(remove, path)) for path in outs)
    yield from learned(versions)
    yield from history(traces, outs)
    for name in sorted(traces.copies):
        yield Place(name, "the same text under another name, now or before: erase it too")


def source(traces: Traces) -> Iterator[Place]:
    """The document itself, and the files beside it that speak of it."""
    path = Path(RAW, traces.document)
    archive = next((one for one in path.parents if one.is_file()), None)
    if archive:
        yield Place(
            str(archive), "an archive that holds it: take it out there, or erase the archive"
        )
    if path.exists() or path.is_symlink():
        yield Place(str(path), "the document", partial(remove_source, path))
    beside = Path(f"{path}{SIDECAR}")
    if beside.exists():
        yield Place(str(beside), "its metadata", partial(remove_source, beside))


def remove_source(path: Path) -> None:
    """Remove a document; the .dvc file of it or of a folder above it then says so."""
    own = Path(f"{path}{POINTER}")
    if own.exists():
        with repository() as repo:
            repo.remove(str(own))
    remove(path)
    for folder in path.parents:
        track_again(folder)


def track_again(path: Path) -> None:
    """Let the .dvc file of what has changed say so, where there is one."""
    if Path(f"{path}{POINTER}").exists():
        with repository() as repo:
            repo.add([str(path)])


@contextmanager
def repository() -> Iterator[Any]:
    """DVC's repository here; InputError for what DVC raises."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        # It says what to do with git, and standard output is for the places.
        with redirect_stdout(sys.stderr), Repo(".") as repo:
            yield repo
    except DvcException as error:
        raise InputError(f"dvc: {error}") from None


def remove(path: Path) -> None:
    """Delete a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def in_folder(folder: Path, traces: Traces, skipped: Iterable[Path]) -> Iterator[Place]:
    """Releases, exports, tables, lines and texts below a folder; not what other functions find."""
    others = {Path(RAW), REPLIES, KEPT, CHECKPOINTS, *skipped}
    done: set[Path] = set()
    for path in walk(folder):
        if others & {path, *path.parents} or done & set(path.parents):
            continue
        unit = next((name for name in (MANIFEST, ABOUT) if path.with_name(name).exists()), "")
        ours = path.parts[0] in OURS
        if unit and path.name.startswith(("chunks.", "passages.")):
            if holds(path, traces):
                done.add(path.parent)
                what = "a release" if unit == MANIFEST else "an export"
                yield Place(str(path.parent), what, partial(remove, path.parent))
        elif cut := cut_of(path):
            yield from entries(path, traces, cut)
        elif holds(path, traces):
            erase = partial(remove, path) if ours and path.suffix == ".parquet" else None
            yield Place(str(path), "a table" if erase else "names it: look yourself", erase)


def holds(path: Path, traces: Traces) -> bool:
    """Does a table or a text name the document? Of other files nothing is known."""
    if not path.is_file() or path.suffix == POINTER:
        return False
    if is_table(path):
        return traces.in_table(path)
    with path.open("rb") as file:
        start = file.read(BLOCK)
        return b"\0" not in start and traces.in_text(start + file.read())


def cut_of(path: Path) -> Cut | None:
    """How the document is cut out of a file whose form is known; None for other files."""
    own_lines = path.parts[0] in OURS and path.suffix == ".jsonl"
    return CUTS.get(path.suffix) if own_lines or _is_given(path) else None


def _is_given(path: Path) -> bool:
    return any(folder in path.parents for folder in GIVEN)


def entries(path: Path, traces: Traces, cut: Cut) -> Iterator[Place]:
    """A file of lines or rows of which some name or quote the document."""
    try:
        _, changed = cut(traces, path.read_bytes())
    except ValueError:
        if holds(path, traces):
            yield Place(str(path), "names it, in an unknown form: look yourself")
        return
    if changed:
        what = f"{changed:,} of its entries name or quote it"
        yield Place(str(path), what, partial(rewrite, path, traces, cut))


def rewrite(path: Path, traces: Traces, cut: Cut) -> None:
    """Write a file again without the document, whole or not at all."""
    with exclusive(path.parent):
        kept, _ = cut(traces, path.read_bytes())
        with replacing(path) as beside:
            beside.write_bytes(kept)


def replies(traces: Traces) -> Iterator[Place]:
    """Replies of language models about its passages."""
    files = [*REPLIES.glob("*.jsonl"), *OPEN.glob("*.jsonl")]
    if any(traces.in_text(path.read_bytes()) for path in files):
        yield Place(str(REPLIES), "replies of a model about it", partial(drop_replies, traces))


def drop_replies(traces: Traces) -> None:
    """Write the replies again without those about its passages."""
    with Store() as store:
        store.keep(lambda reply: reply.about not in traces.chunks)
    track_again(REPLIES)


def caches(traces: Traces) -> Iterator[Place]:
    """Vectors kept between runs, and the checkpoints of a training."""
    if count := count_kept(traces.keys):
        yield Place(str(KEPT), f"{count:,} vectors of its texts", partial(forget, traces.keys))
    if traces.chunks and CHECKPOINTS.exists():
        yield Place(str(CHECKPOINTS), "checkpoints", partial(remove, CHECKPOINTS))


def made_from_it(versions: Versions) -> list[str]:
    """The outputs here that hold it, as dvc.lock says."""
    outs = [(path, md5) for lock in LOCKS for path, md5 in locked_outs(lock).items()]
    held = [path for path, md5 in outs if md5 in versions.holding and path not in NUMBERS]
    return [path for path in held if Path(path).exists()]


def objects(versions: Versions) -> Iterator[Place]:
    """Objects of the cache and the remotes that are folders here, then the other remotes."""
    for folder in versions.stores.folders:
        paths = [folder / md5[:2] / md5[2:] for md5 in sorted(versions.objects)]
        if there := [path for path in paths if path.exists()]:
            what = f"{len(there):,} objects of this and earlier versions"
            yield Place(str(folder), what, partial(remove_all, there))
    for name, url in versions.stores.elsewhere.items():
        if versions.objects:
            yield Place(url, f"remote '{name}' may have them: `dvc gc -w -c -r {name}` drops them")


def remove_all(paths: Iterable[Path]) -> None:
    """Delete files."""
    for path in paths:
        path.unlink()


def learned(versions: Versions) -> Iterator[Place]:
    """Models that were trained on it, here and in the stores; `dvc repro` trains without it."""
    for path, md5 in (one for lock in LOCKS for one in locked_outs(lock).items()):
        release = Path(path, MANIFEST).exists()
        base = release and read_manifest(Path(path)).verdict.model == "base"
        if Path(path).exists() and (path == TUNED or release) and not base:
            if md5 in versions.learned and (path == TUNED or md5 not in versions.holding):
                yield Place(path, "its model was trained on it: `dvc repro` trains another")
            elif md5 in versions.doubtful:
                yield Place(path, "may be trained on it: the tables it was made from are not here")
    earlier = {
        md5
        for run in versions.runs
        for path, md5 in run.outs.items()
        if path == TUNED and md5 in versions.learned | versions.doubtful
    }
    if count := sum(bool(versions.stores.places(md5)) for md5 in earlier):
        what = f"{count:,} trained models of all versions: `dvc gc -w` after `dvc repro`"
        yield Place(str(versions.stores.folders[0]), what)


def history(traces: Traces, outs: Iterable[Path]) -> Iterator[Place]:
    """Git's history of the document, of files that name it, and of reports that may quote it."""
    paths: dict[str, list[str]] = {}
    found = git("log", "--all", "--format=%x00%h", "--name-only", f"-S{traces.document}")
    for entry in found.split("\0")[1:]:
        commit, *names = entry.split()
        for name in names:
            paths.setdefault(name, []).append(commit)
    for path in (f"{RAW}/{traces.document}", *map(str, outs)):
        if commits := git("log", "--all", "--format=%h", "--", path).split():
            paths[path] = commits
    for path, commits in sorted(paths.items()):
        what = f"git history, {len(commits):,} commits: {' '.join(commits)}"
        yield Place(path, what)
