"""Files are read in worker processes with limits on time and memory.

So one bad file can't end the stage.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import multiprocessing
import os
import resource
import stat
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.archive import members, place, read_member
from argot.documents.formats.reader import kind_of, parse

# Workers end after so many files: what parsers leak counts against the next file's limit.
FILES_PER_WORKER = 500


@dataclass(frozen=True)
class Limits:
    """What one file may cost."""

    file_megabytes: int
    seconds: int
    memory_megabytes: int


@dataclass(frozen=True)
class Read:
    """A file that was read."""

    parsed: Parsed
    sha256: str  # of its bytes


@dataclass(frozen=True)
class Members:
    """The names of an archive's files, each of which is read by itself."""

    names: list[str]


class TooHungryError(UnreadableError):
    """A file that needs more memory than a worker may take."""


def read_all(
    root: Path, files: Sequence[Path], limits: Limits, workers: int = 0
) -> Iterator[tuple[Path, Read | UnreadableError]]:
    """Each file with its content or the reason why it has none, in the order of `files`.

    The files of an archive follow in the order of their names, as if the archive were a folder.
    With 0 workers there is one per core.
    """
    pool = _pool(min(workers or os.cpu_count() or 1, len(files)), FILES_PER_WORKER, limits)

    def schedule(file: Path, member: str = "") -> Any:
        return pool.schedule(read, args=[root, file, limits, member], timeout=limits.seconds)

    def result(future: Any, file: Path, member: str = "") -> Any:
        found = _result(future, limits)
        # Earlier files may have left memory taken, so a fresh worker tries this one again.
        return _alone(root, file, limits, member) if isinstance(found, TooHungryError) else found

    try:
        for file, future in zip(files, [schedule(file) for file in files], strict=True):
            found = result(future, file)
            if not isinstance(found, Members):
                yield file, found
                continue
            inner = [schedule(file, name) for name in found.names]
            for name, future in zip(found.names, inner, strict=True):
                yield place(file, name), result(future, file, name)
    finally:
        pool.stop()
        pool.join()


def _alone(root: Path, file: Path, limits: Limits, member: str) -> Any:
    """Read one file in a worker that read no other."""
    pool = _pool(1, 1, limits)
    try:
        return _result(
            pool.schedule(read, args=[root, file, limits, member], timeout=limits.seconds), limits
        )
    finally:
        pool.stop()
        pool.join()


def _pool(workers: int, files_per_worker: int, limits: Limits) -> Any:
    from pebble import ProcessPool

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["argot.documents.formats.workers"])
    _start_server()
    return ProcessPool(
        max_workers=workers,
        max_tasks=files_per_worker,
        initializer=_confine,
        initargs=[limits.memory_megabytes],
        context=context,
    )


def _result(future: Any, limits: Limits) -> Any:
    """What a worker read, or why it could not."""
    from pebble import ProcessExpired

    try:
        return future.result()
    except UnreadableError as error:
        return error
    except TimeoutError:
        return UnreadableError(f"takes longer than ingest.max_seconds ({limits.seconds})")
    except ProcessExpired:
        return UnreadableError("its parser crashed")


def read(root: Path, file: Path, limits: Limits, member: str = "") -> Read | Members:
    """Read one file, or one of an archive; UnreadableError says why it can't be read."""
    try:
        _admit(root, file, limits)
        if member:
            data = read_member(file, member, limits.file_megabytes)
        else:
            data = file.read_bytes()
            if file.suffix.lower() == ".zip" and data.strip() and kind_of(file.name, data) == "zip":
                return _members(file)
        return Read(parse(member or file.name, data), hashlib.sha256(data).hexdigest())
    except PermissionError:
        raise UnreadableError("no permission to read it") from None
    except OSError as error:
        raise UnreadableError(f"can't be read: {error.strerror or error}") from None
    except MemoryError:
        megabytes = limits.memory_megabytes
        raise TooHungryError(
            f"needs more memory than ingest.max_memory_megabytes ({megabytes})"
        ) from None


def _members(file: Path) -> Members:
    names = members(file)
    if not names:
        raise UnreadableError("holds no files")
    return Members(names)


def _admit(root: Path, file: Path, limits: Limits) -> None:
    """Refuse by what the file system knows, before a byte is read."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise UnreadableError("its name is not Unicode") from None
    if not file.exists():
        raise UnreadableError("a link to nothing")
    target = file.resolve()
    # DVC may link tracked files to its cache.
    if not target.is_relative_to(root.resolve()) and not _is_cached(target, root.resolve()):
        raise UnreadableError("a link to outside of data/raw")
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("not a regular file")
    if status.st_size > limits.file_megabytes << 20:
        raise UnreadableError(f"larger than ingest.max_file_megabytes ({limits.file_megabytes})")


def _is_cached(target: Path, root: Path) -> bool:
    cache = _cache(root)
    return cache is not None and target.is_relative_to(cache)


@functools.cache
def _cache(root: Path) -> Path | None:
    """The cache of the project that `root` is in, and of no other; None outside of a project."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo(Repo.find_root(str(root))) as project:
            return Path(project.cache.local_cache_dir, "files", "md5").resolve()
    except NotDvcRepoError:
        return None


def _start_server() -> None:
    """Start the process that forks workers, with its output to nowhere.

    Parsers print, and so do workers that are ended while they start.
    """
    screen = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        forkserver.ensure_running()
    finally:
        for number, descriptor in enumerate(screen, start=1):
            os.dup2(descriptor, number)
        for descriptor in (nowhere, *screen):
            os.close(descriptor)


def _confine(megabytes: int) -> None:
    """Limit this worker's memory, and keep it quiet."""
    with contextlib.suppress(ValueError, OSError):  # not every system has this limit
        used = _address_space()
        resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20),) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def _address_space() -> int:
    """Bytes of address space this process has taken."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
