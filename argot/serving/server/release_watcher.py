"""Hot reload: replace the release that is served by a newer one, without dropping a request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from argot.errors import ArgotError
from argot.search.release import MANIFEST
from argot.serving.server.served_release import ServedRelease

LOG = logging.getLogger("argot.serving.server")
Signature = tuple[tuple[str, int, int, int], ...]


class ReleaseWatcher:
    """Holds the release that is served, and looks for a newer one in the same folder.

    A newer release is loaded while the old one still answers, and replaces it once its model has
    encoded a first text. If the newer one is broken, the old one stays and `problem` says why; the
    folder is read again when any of its files changes.
    """

    def __init__(self, folder: Path, open_release: Callable[[Path], ServedRelease]) -> None:
        self.folder = folder
        self.problem = ""
        self.taken_up = 0
        self.refused = 0
        self._open = open_release
        self._seen = signature(folder)
        self.current = open_release(folder)
        self._end = threading.Event()

    def look(self) -> bool:
        """Look once; True if a newer release replaced the old one."""
        found = signature(self.folder)
        if not found or found == self._seen:
            return False
        try:
            new = self._open_ready(found)
        except (ArgotError, OSError) as error:
            # If the folder has changed since `found`, the error is about a half-copied release. The
            # next look reads it again.
            if signature(self.folder) == found:
                self._refuse(found, error)
            return False
        if new is None:
            return False
        self._seen, self.problem = found, ""
        old, self.current = self.current, new
        old.close()
        self.taken_up += 1
        LOG.info("release %s replaces %s", new.id, old.id)
        return True

    def watch(self, seconds: float) -> None:
        """Look every so many seconds, in a thread of its own, until `close`."""
        threading.Thread(
            target=self._watch, args=(seconds,), name="release-watcher", daemon=True
        ).start()

    def close(self) -> None:
        """Stop looking, and close the release."""
        self._end.set()
        self.current.close()

    def _open_ready(self, found: Signature) -> ServedRelease | None:
        """The newer release with its model loaded; None if the folder changed while it was read."""
        new = self._open(self.folder)
        new.batcher.ready.wait()
        # A folder that is still being written may have given files of two releases.
        if signature(self.folder) != found:
            new.close()
            return None
        if new.batcher.problem:
            new.close()
            raise ArgotError(new.batcher.problem)
        return new

    def _refuse(self, found: Signature, error: Exception) -> None:
        self._seen, self.problem = found, " ".join(str(error).split())
        self.refused += 1
        LOG.error("kept release %s: the new one is broken: %s", self.current.id, self.problem)

    def _watch(self, seconds: float) -> None:
        while not self._end.wait(seconds):
            try:
                self.look()
            except Exception:  # the thread must survive whatever a half-written folder causes
                LOG.exception("looking for a new release failed")


def signature(folder: Path) -> Signature:
    """Names, sizes and times of the folder's files: it changes when any of them does.

    Empty while the folder is missing or has no manifest, as in the middle of `dvc pull`.
    """
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in files]
    except OSError:
        return ()
    if not any(name == MANIFEST for name, _ in stats):
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)
