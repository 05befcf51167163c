"""What a model encoded, kept between runs, so that no text is encoded twice by the same model.

Vectors and tokens are functions of their text and of the model's identity alone. Those made before
are taken from cache/vectors/, which git and DVC ignore, or from a store that was committed: the
result is the same to the byte. The cache holds segments, each a store, at
MODEL/TEXTS/IDENTITY/SEGMENT.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from argot.encoding.store.encoded import Encoded, read_encoded, write_encoded
from argot.encoding.store.vectors import key
from argot.errors import InputError

KEPT = Path("cache/vectors")


class Kept:
    """Stores of texts that one model encoded."""

    def __init__(self, stores: Sequence[Encoded]) -> None:
        self.stores = list(stores)
        self._places: dict[str, tuple[int, int]] = {}
        # Of a text that several stores hold, the one with tokens counts.
        for number, store in enumerate(self.stores):
            by_token = set(store.tokens.keys)
            for row, name in enumerate(store.keys):
                if name in by_token or name not in self._places:
                    self._places[name] = (number, row)
        self._by_token = {name for store in self.stores for name in store.tokens.keys}

    def __bool__(self) -> bool:
        return bool(self._places)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def knows(self, name: str, by_token: bool) -> bool:
        """Is a text's vector here, and its tokens too where `by_token` asks for them?"""
        return name in (self._by_token if by_token else self._places)

    def vector(self, name: str) -> tuple[NDArray[np.float32], bool]:
        """A text's vector, (dimension,), and whether the text was longer than the model reads."""
        number, row = self._places[name]
        vectors = self.stores[number].vectors
        return vectors.values[row], bool(vectors.truncated[row])


def segment_folder(model: str, kind: str, identity: str) -> Path:
    """Where the segments of a model's vectors lie: of `kind` of texts, by the model's identity."""
    return KEPT / model / kind / identity


def write_segment(folder: Path, some: Encoded) -> None:
    """Keep some texts in a segment, named by the texts it holds."""
    write_encoded(folder / key("".join(some.keys)), some)


def read_kept(kind: str, identity: str) -> Kept:
    """All of the cache that this identity made, whatever the model was called."""
    return Kept([stored for _, stored in _segments(kind, identity)])


def read_committed(store: Path, figures: Path, identity: str) -> Kept:
    """The vectors of `store` as of the last commit, if its `figures` name the same identity.

    DVC deletes a stage's outputs before it runs, and a fresh runner has them only in the remote.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "store"
        _fetch_committed(store, figures, identity, copy)
        with suppress(InputError):
            return Kept([read_encoded(copy)])
    return Kept([])


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


def keep_only(folder: Path, made: Encoded) -> None:
    """Keep these texts in one segment of `folder`, and nothing else of that model and kind."""
    whole = key("".join(made.keys))
    if not (folder / whole).exists():
        write_segment(folder, made)
    for old in [*folder.parent.glob("*"), *folder.glob("*")]:
        if old.is_dir() and old not in (folder, folder / whole):
            shutil.rmtree(old)


def forget_others(kind: str, keys: Sequence[str]) -> None:
    """Drop all other texts, such as deleted ones, from the cache of every model."""
    alive = set(keys)
    for segment, stored in _segments(kind):
        _keep_rows(segment, stored, [name in alive for name in stored.keys])


def forget(keys: Collection[str]) -> None:
    """Drop these texts from the cache of every model."""
    for segment, stored in _segments("*"):
        _keep_rows(segment, stored, [name not in keys for name in stored.keys])


def count_kept(keys: Collection[str]) -> int:
    """How many vectors the cache keeps of these texts."""
    return sum(name in keys for _, stored in _segments("*") for name in stored.keys)


def _keep_rows(segment: Path, stored: Encoded, kept: Sequence[bool]) -> None:
    rows = [row for row, keeps in enumerate(kept) if keeps]
    if len(rows) < len(kept):
        if rows:
            write_segment(segment.parent, stored.take(rows))
        shutil.rmtree(segment)


def _segments(kind: str, identity: str = "*") -> Iterator[tuple[Path, Encoded]]:
    """The segments of a kind of texts; one that can't be read is removed."""
    for segment in sorted(KEPT.glob(f"*/{kind}/{identity}/*")):
        try:
            yield segment, read_encoded(segment)
        except InputError:
            shutil.rmtree(segment)
