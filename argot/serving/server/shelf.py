"""The release that is served now, and the taking up of a new one without dropping a request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from argot.errors import ArgotError
from argot.serving.server.served import Served

LOG = logging.getLogger("argot.serving.server")
Signature = tuple[tuple[str, int, int, int], ...]


class Shelf:
    """Holds one release, and looks for another in the same folder.

    A new one is loaded beside the old one and takes its place when its model has answered. If it is broken, the old
    one stays, `problem` says why, and the folder is looked at again when anything in it changes.
    """

    def __init__(self, folder: Path, open_release: Callable[[Path], Served]) -> None:
        self.folder = folder
        self.problem = ""
        self.taken_up = 0
        self.refused = 0
        self._open = open_release
        self._seen = signature(folder)
        self.current = open_release(folder)
        self._end = threading.Event()

    def look(self) -> bool:
        """Look once; True if a new release was taken up."""
        found = signature(self.folder)
        if not found or found == self._seen:
            return False
        try:
            new = self._open(self.folder)
            new.batcher.ready.wait()
            if (
                signature(self.folder) != found
            ):  # still being written: what was read may be of two releases
                new.close()
                return False
            if new.batcher.problem:
                new.close()
                raise ArgotError(new.batcher.problem)
        except (ArgotError, OSError) as error:
            self._seen, self.problem = found, " ".join(str(error).split())
            self.refused += 1
            LOG.error("kept release %s: the new one is broken: %s", self.current.id, self.problem)
            return False
        self._seen, self.problem = found, ""
        old, self.current = self.current, new
        old.close()
        self.taken_up += 1
        LOG.info("took up release %s in place of %s", new.id, old.id)
        return True

    def watch(self, seconds: float) -> None:
        """Look every so many seconds, in a thread of its own, until `close`."""
        threading.Thread(target=self._watch, args=(seconds,), name="shelf", daemon=True).start()

    def close(self) -> None:
        """Stop looking, and let go of the release."""
        self._end.set()
        self.current.close()

    def _watch(self, seconds: float) -> None:
        while not self._end.wait(seconds):
            try:
                self.look()
            except Exception:  # the watch must outlive whatever a half-written folder does
                LOG.exception("looking for a new release failed")


def signature(folder: Path) -> Signature:
    """Names, sizes and times of the folder's files; empty while the folder is gone or has no manifest."""
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in files]
    except OSError:
        return ()
    if not any(name == "manifest.json" for name, _ in stats):
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)
