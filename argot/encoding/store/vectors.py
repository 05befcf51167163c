"""Stored vectors: one a distinct text, found again by the text itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.core.files import replacing_folder
from argot.core.parquet import read_array, read_table, write_table
from argot.errors import InputError, ParamsError

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
    ]
)
Flags = NDArray[np.bool_]


def key(text: str) -> str:
    """The name of a text: 32 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def shorten(vectors: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """The first `dimension` components of each vector, normalised again.

    Matryoshka vectors (Kusupati et al. 2022) are trained for it.
    """
    cut = np.ascontiguousarray(vectors[:, :dimension], dtype=np.float32)
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    return np.asarray(cut / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)


def cut(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The vectors `shorten`ed to `dim` dimensions, or whole where it is 0.

    Raises ParamsError where they have fewer dimensions.
    """
    if dim > vectors.shape[1]:
        raise ParamsError(
            f"params.yaml: index.dim: {dim} is more than the model's {vectors.shape[1]}; "
            "0 keeps all"
        )
    return shorten(vectors, dim) if dim else np.asarray(vectors, dtype=np.float32)


class Vectors:
    """Normalised float32 vectors, (texts, dimensions), by the keys of their texts.

    Those of a store are memory-mapped. `truncated`, (texts,), marks the texts that were longer than
    the model reads; without it, none was.
    """

    def __init__(
        self, keys: Sequence[str], values: NDArray[np.float32], truncated: Flags | None = None
    ) -> None:
        self.keys = list(keys)
        self.values = values
        self.truncated = np.zeros(len(keys), dtype=bool) if truncated is None else truncated

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.keys)}

    def take(self, rows: Sequence[int]) -> Vectors:
        """Some of them."""
        return Vectors([self.keys[row] for row in rows], self.values[rows], self.truncated[rows])

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of `texts`, (texts, dimensions), in their order; all of them without a copy.

        Raises InputError if one was never embedded.
        """
        try:
            rows = [self._rows[key(text)] for text in texts]
        except KeyError:
            text = next(text for text in texts if key(text) not in self._rows)
            raise InputError(
                f"no vector is stored for the text {text[:60]!r}; run `dvc repro`"
            ) from None
        if rows == list(range(len(self.values))):
            return self.values
        return np.asarray(self.values[rows], dtype=np.float32)


def write_vectors(folder: Path, store: Vectors) -> None:
    """Write a store as a folder, whole or not at all."""
    with replacing_folder(folder) as beside:
        save_vectors(beside, store)


def save_vectors(folder: Path, store: Vectors) -> None:
    """Write keys.parquet and vectors.npy into a folder that is there."""
    table = pa.table([pa.array(store.keys, pa.string()), store.truncated], schema=SCHEMA)
    write_table(folder / "keys.parquet", table, SCHEMA)
    save_array(folder / "vectors.npy", np.asarray(store.values, dtype=np.float32))


def save_array(path: Path, values: NDArray[Any]) -> None:
    """Write a numpy array; OSError where the disk is full.

    numpy does not notice where the last bytes of a file that it opens itself can't be written.
    """
    with path.open("wb") as file:
        # An object that is no file makes numpy call `write`, which tells of a full disk.
        through: Any = SimpleNamespace(write=file.write)
        np.save(through, np.ascontiguousarray(values), allow_pickle=False)


def read_vectors(folder: Path) -> Vectors:
    """Open a store; InputError if it is missing, cut short, or its parts don't match."""
    table = read_table(folder / "keys.parquet", SCHEMA)
    keys = table["key"].to_pylist()
    values = read_array(folder / "vectors.npy", ["float32"], 2)
    if len(values) != len(keys):
        raise InputError(
            f"{folder}: {len(keys)} keys but vectors of shape {values.shape}; run `dvc repro`"
        )
    return Vectors(keys, values, table["truncated"].to_numpy())
