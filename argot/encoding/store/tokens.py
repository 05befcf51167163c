"""Token vectors: what a model says of each token of a text, small enough to keep for every passage.

They rank passages by MaxSim, late interaction (Khattab and Zaharia, arXiv 2004.12832), in
ranking/tokens.py, and come out of the forward pass that gives the text's single vector. Special
tokens, the prompt's tokens and punctuation are left out. A question keeps a vector a token, in
8 bits a dimension; a passage's tokens are pooled, three to a vector on average, and kept in 4 bits.
Like a text's single vector, its tokens are a function of the text alone, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from argot.core.parquet import read_array, read_table, write_table
from argot.encoding.store.vectors import key, save_array
from argot.errors import InputError

POOLED = 3  # tokens of a passage that share a vector, on average
TOP = 127  # the largest code of 8 bits
PACKED_TOP = 7  # the largest code of 4 bits; what is stored is the code plus ZERO
ZERO = 8
MOST_IDS = (
    1 << 22
)  # sixteen times the largest vocabulary; weights are kept by id, so it bounds them
SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("ids", pa.list_(pa.int32()), nullable=False),
    ]
)
ARRAYS = {
    "codes": (("int8", "uint8"), 2),
    "scales": (("float32",), 1),
    "offsets": (("int64",), 1),
}

Floats = NDArray[np.float32]
# int8 (vectors, dimension) of questions, uint8 (vectors, dimension / 2) of passages: see `pack`.
Codes = NDArray[Any]


@dataclass(frozen=True)
class Tokens:
    """The token vectors of texts, by the keys of the texts; memory-mapped where they are stored.

    Those of text i are rows offsets[i] to offsets[i + 1] of `codes`; a row times its scale is a
    unit vector. `ids` are the tokens of each text in order; where nothing was pooled, one a vector.
    """

    keys: list[str]
    ids: list[NDArray[np.int32]]
    codes: Codes
    scales: Floats
    offsets: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[Tokens]) -> Tokens:
        """All texts of some parts, in their order."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return cls.none()
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        return cls(
            [key for part in parts for key in part.keys],
            [ids for part in parts for ids in part.ids],
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.scales for part in parts]),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        )

    @classmethod
    def none(cls) -> Tokens:
        """The tokens of no text."""
        nothing = np.zeros((0, 0), dtype=np.uint8)
        return cls([], [], nothing, np.zeros(0, np.float32), np.zeros(1, np.int64))

    @classmethod
    def gathered(cls, parts: Sequence[Tokens], keys: Sequence[str]) -> Tokens:
        """The texts of these keys, in their order, wherever they are among `parts`."""
        return cls.joined([part.some(keys) for part in parts]).some(keys)

    @property
    def bytes(self) -> int:
        """What the vectors take."""
        return self.codes.nbytes + self.scales.nbytes + self.offsets.nbytes

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.keys)}

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: Sequence[int]) -> Tokens:
        """Some of the texts, in this order."""
        at, ends = vectors_of(self.offsets, np.asarray(rows, dtype=np.int64))
        return Tokens(
            [self.keys[row] for row in rows],
            [self.ids[row] for row in rows],
            self.codes[at],
            self.scales[at],
            np.concatenate([[0], ends]).astype(np.int64),
        )

    def some(self, keys: Sequence[str]) -> Tokens:
        """The texts of these keys that are here, in the order of the keys."""
        return self.take([self._rows[key] for key in keys if key in self._rows])

    def of(self, texts: Sequence[str]) -> Tokens:
        """The tokens of `texts`, in their order; InputError if one was never encoded."""
        try:
            return self.take([self._rows[key(text)] for text in texts])
        except KeyError:
            text = next(text for text in texts if key(text) not in self._rows)
            raise InputError(
                f"no token vectors are stored for the text {text[:60]!r}; run `dvc repro`"
            ) from None

    def columns(self) -> dict[str, pa.Array]:
        """A row a text, to send them to another process; no column where there is no text."""
        if not len(self):
            return {}
        every = range(len(self))
        parts = [slice(self.offsets[row], self.offsets[row + 1]) for row in every]
        return {
            "key": pa.array(self.keys, pa.string()),
            "ids": pa.array(self.ids, SCHEMA.field("ids").type),
            "codes": pa.array([self.codes[part].tobytes() for part in parts], pa.large_binary()),
            "scales": pa.array([self.scales[part] for part in parts], pa.list_(pa.float32())),
            "packed": pa.array([self.codes.dtype == np.uint8] * len(self), pa.bool_()),
        }

    @classmethod
    def from_columns(cls, table: pa.Table) -> Tokens:
        """The tokens whose `columns` are in a table."""
        if "key" not in table.column_names:
            return cls.none()
        scales = [row.values.to_numpy() for row in table["scales"]]
        ends = np.cumsum([0, *map(len, scales)], dtype=np.int64)
        kind = np.uint8 if table["packed"][0].as_py() else np.int8
        codes = np.frombuffer(b"".join(table["codes"].to_pylist()), dtype=kind)
        ids = [row.values.to_numpy() for row in table["ids"]]
        whole = codes.reshape(int(ends[-1]), -1)
        return cls(table["key"].to_pylist(), ids, whole, np.concatenate(scales), ends)

    def vectors(self, row: int) -> Floats:
        """The unit vectors of one text, (vectors, dimension)."""
        part = slice(self.offsets[row], self.offsets[row + 1])
        return restored(self.codes[part], self.scales[part])


def unit(vectors: Floats) -> Floats:
    """`vectors`, (vectors, dimension), of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)


def quantise(vectors: Floats, top: int = TOP) -> tuple[NDArray[np.int8], Floats]:
    """Whole numbers from -top to top, and the scale that makes each vector a unit vector again.

    A vector's largest component becomes `top`; none is off by more than half a `top`-th of it.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=np.finfo(np.float32).tiny)
    codes = np.rint(vectors / largest * top).astype(np.int8)
    lengths = np.sqrt((codes.astype(np.int64) ** 2).sum(axis=1))
    return codes, (1 / np.maximum(lengths, 1)).astype(np.float32)


def pack(vectors: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """4 bits a dimension, (vectors, dimension / 2), and scales as of `quantise`.

    The low half of a byte is a component of a vector's first half, the high half one of its second.
    The dimension must be even.
    """
    codes, scales = quantise(vectors, PACKED_TOP)
    low, high = np.split((codes + np.int8(ZERO)).view(np.uint8), 2, axis=1)
    return np.asarray(low | (high << 4), dtype=np.uint8), scales


def unpack(codes: NDArray[np.uint8]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """The first and the second half of packed vectors, each code plus ZERO."""
    return (codes & 15).view(np.int8), (codes >> 4).view(np.int8)


def restored(codes: Codes, scales: Floats) -> Floats:
    """The unit vectors, (vectors, dimension), of codes as of `quantise` or of `pack`."""
    if codes.dtype == np.uint8:
        codes = np.concatenate(unpack(codes), axis=1) - np.int8(ZERO)
    return np.asarray(codes * scales[:, None], dtype=np.float32)


def pool(vectors: Floats) -> Floats:
    """Unit vectors made fewer by POOLED: the mean of each cluster, a unit vector again.

    The clusters are Ward's by the cosine distance (Clavié et al., arXiv 2409.14683). Cosines are
    made of whole numbers, whose sums need no rounding: any number of threads finds the same ones.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    count = -(-len(vectors) // POOLED)
    if count == len(vectors):
        return vectors
    codes, scales = quantise(vectors)
    whole = codes.astype(np.float64)
    distances = 1 - (whole @ whole.T) * scales[:, None] * scales
    above = distances[np.triu_indices(len(vectors), 1)].clip(min=0)
    clusters = fcluster(linkage(above, "ward"), count, "maxclust")
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=0))
    return unit(np.add.reduceat(vectors[order], starts, axis=0))


def vectors_of(
    offsets: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the vectors of the texts in `rows`, text by text, and where each text's end."""
    lengths = offsets[rows + 1] - offsets[rows]
    ends = np.cumsum(lengths)
    return np.repeat(offsets[rows] - (ends - lengths), lengths) + np.arange(lengths.sum()), ends


def save_tokens(folder: Path, tokens: Tokens) -> None:
    """Write a store: keys.parquet, codes.npy, scales.npy and offsets.npy."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table([tokens.keys, pa.array(tokens.ids, SCHEMA.field("ids").type)], schema=SCHEMA)
    write_table(folder / "keys.parquet", table, SCHEMA)
    save_arrays(folder, tokens.codes, tokens.scales, tokens.offsets)


def read_tokens(folder: Path) -> Tokens:
    """Open a store, memory-mapped; InputError if it is missing or damaged, or parts don't match."""
    table = read_table(folder / "keys.parquet", SCHEMA)
    codes, scales, offsets = load_arrays(folder)
    if len(offsets) != len(table) + 1:
        raise InputError(
            f"{folder}: {len(table)} keys but token vectors of {len(offsets) - 1} texts; "
            "run `dvc repro`"
        )
    counts = np.diff(offsets) if codes.dtype == np.int8 else None
    return Tokens(table["key"].to_pylist(), _ids(folder, table, counts), codes, scales, offsets)


def save_arrays(folder: Path, codes: Codes, scales: Floats, offsets: NDArray[np.int64]) -> None:
    """Write codes, scales and offsets as they lie in a store and in a release."""
    arrays: tuple[NDArray[Any], ...] = (codes, scales, offsets)
    for name, values in zip(ARRAYS, arrays, strict=True):
        save_array(folder / f"{name}.npy", values)


def load_arrays(folder: Path) -> tuple[Codes, Floats, NDArray[np.int64]]:
    """Memory-map what `save_arrays` wrote; InputError if a part is missing or damaged."""
    found = [read_array(folder / f"{name}.npy", *expected) for name, expected in ARRAYS.items()]
    codes, scales, offsets = found
    whole = len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(codes) == len(scales)
    if not whole or (np.diff(offsets) < 1).any():
        raise InputError(
            f"{folder}: codes, scales and offsets of token vectors don't belong together; "
            "run `dvc repro`"
        )
    return codes, scales, offsets


def check_ids(path: Path, ids: NDArray[np.int32]) -> None:
    """Raise InputError where these can't be the ids of a vocabulary's tokens."""
    if len(ids) and not 0 <= ids.min() <= ids.max() < MOST_IDS:
        raise InputError(f"{path} holds ids of no vocabulary; run `dvc repro`")


def _ids(
    folder: Path, table: pa.Table, counts: NDArray[np.int64] | None
) -> list[NDArray[np.int32]]:
    """The tokens of each text; InputError unless they are as many as `counts`, where given."""
    lists = table["ids"].combine_chunks()
    whole = not (lists.null_count or lists.values.null_count)
    if whole and counts is not None:
        whole = bool((lists.value_lengths().to_numpy() == counts).all())
    if not whole:
        raise InputError(
            f"{folder}: tokens and their vectors don't belong together; run `dvc repro`"
        )
    check_ids(folder / "keys.parquet", lists.values.to_numpy())
    return [row.values.to_numpy() for row in lists]
