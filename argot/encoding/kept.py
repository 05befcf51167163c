"""Vectors kept between runs, so that no text is encoded twice by the same model.

A vector is a function of its text and of the model's identity alone. Those made before are taken
from cache/vectors/, which git and DVC ignore, or from a store that was committed: the result is
the same to the byte. The cache holds segments, each a store, at MODEL/TEXTS/IDENTITY/SEGMENT.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from argot.encoding.store import Vectors, key, read_vectors, write_vectors
from argot.errors import InputError

KEPT = Path("cache/vectors")
# Each text's vector, and whether the text was longer than the model reads, by the text's key.
Kept = dict[str, tuple[NDArray[np.float32], bool]]


def segment_folder(model: str, kind: str, identity: str) -> Path:
    """Where the segments of a model's vectors lie: of `kind` of texts, by the model's identity."""
    return KEPT / model / kind / identity


def write_segment(folder: Path, some: Vectors) -> None:
    """Keep some vectors in a segment, named by the texts it holds."""
    write_vectors(folder / key("".join(some.keys)), some)


def read_kept(kind: str, identity: str) -> Kept:
    """All vectors of the cache that this identity made, whatever the model was called."""
    kept: Kept = {}
    for _, stored in _segments(kind, identity):
        kept.update(_by_key(stored))
    return kept


def read_committed(store: Path, figures: Path, identity: str) -> Kept:
    """The vectors of `store` as of the last commit, if its `figures` name the same identity.

    DVC deletes a stage's outputs before it runs, and a fresh runner has them only in the remote.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "store"
        _fetch_committed(store, figures, identity, copy)
        with suppress(InputError):
            return _by_key(read_vectors(copy))
    return {}


def _fetch_committed(store: Path, figures: Path, identity: str, copy: Path) -> None:
    # There may be no repository, no commit, no such output, no remote and no network, for each of
    # which DVC, git or the remote's library has errors of its own: then there is nothing to reuse.
    with suppress(Exception):
        from dvc.api import DVCFileSystem

        # A commit's files, not the workspace's, where vectors and figures may be of two runs.
        committed = DVCFileSystem(rev="HEAD")
        committed.repo.get_rev()
        if json.loads(committed.read_text(str(figures)))["identity"] == identity:
            committed.get(str(store), str(copy), recursive=True)


def keep_only(folder: Path, made: Vectors) -> None:
    """Keep these vectors in one segment of `folder`, and nothing else of that model and kind."""
    whole = key("".join(made.keys))
    if not (folder / whole).exists():
        write_segment(folder, made)
    for old in [*folder.parent.glob("*"), *folder.glob("*")]:
        if old.is_dir() and old not in (folder, folder / whole):
            shutil.rmtree(old)


def forget_others(kind: str, keys: Sequence[str]) -> None:
    """Drop the vectors of all other texts, such as deleted ones, from the cache of every model."""
    alive = set(keys)
    for segment, stored in _segments(kind):
        rows = [row for row, name in enumerate(stored.keys) if name in alive]
        if len(rows) < len(stored.keys):
            write_segment(segment.parent, stored.take(rows))
            shutil.rmtree(segment)


def _segments(kind: str, identity: str = "*") -> Iterator[tuple[Path, Vectors]]:
    """The segments of a kind of texts; one that can't be read is removed."""
    for segment in sorted(KEPT.glob(f"*/{kind}/{identity}/*")):
        try:
            yield segment, read_vectors(segment)
        except InputError:
            shutil.rmtree(segment)


def _by_key(stored: Vectors) -> Kept:
    return {
        name: (stored.values[row], bool(stored.truncated[row]))
        for row, name in enumerate(stored.keys)
    }
