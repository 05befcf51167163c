"""The dense side of a release: passages' vectors in a FAISS index."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from argot.errors import ReleaseError
from argot.ranking import MISSING, Hits, search_exact

# FAISS' own name of each kind, at the head of the file; the dimension and the number of vectors follow it.
Kind = Literal["flat"]
HEADS: dict[bytes, Kind] = {b"IxFI": "flat"}


class VectorIndex:
    """A FAISS index over normalised vectors, (passages, dimension), by inner product."""

    def __init__(self, index: Any, kind: Kind) -> None:
        self.index = index
        self.kind = kind
        self.vectors = _stored(index)

    @property
    def dimension(self) -> int:
        """Of each vector."""
        return int(self.index.d)

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> VectorIndex:
        """Index `vectors`, (passages, dimension)."""
        import faiss

        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index, "flat")

    def save(self, path: Path) -> None:
        """Write the index in FAISS' own format."""
        import faiss

        faiss.write_index(self.index, str(path))

    @classmethod
    def load(cls, path: Path) -> VectorIndex:
        """Read what `save` wrote; ReleaseError if its head is of no known kind, or FAISS can't read it."""
        import faiss

        kind, _, _ = read_head(path)
        try:
            return cls(faiss.read_index(str(path)), kind)
        except RuntimeError as error:
            raise ReleaseError(f"{path} can't be read by FAISS ({str(error).splitlines()[-1]})") from None

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        ties: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
    ) -> Hits:
        """The k passages nearest to each query by (score, tie order), among `rows` where they are given."""
        if rows is None:
            return search_exact(queries, self.vectors, k, ties)
        hits = search_exact(queries, self.vectors[rows], k, ties[rows])
        return Hits(np.where(hits.positions == MISSING, MISSING, rows[hits.positions]).astype(np.int32), hits.scores)


def read_head(path: Path) -> tuple[Kind, int, int]:
    """Kind, dimension and number of vectors, out of the file's first bytes."""
    with path.open("rb") as file:
        head = file.read(16)
    if len(head) < 16 or head[:4] not in HEADS:
        raise ReleaseError(f"{path} is no FAISS index of a known kind ({', '.join(sorted(HEADS.values()))})")
    name, dimension, count = struct.unpack("<4siq", head)
    return HEADS[name], dimension, count


def _stored(index: Any) -> NDArray[np.float32]:
    import faiss

    flat = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
    return np.asarray(flat, dtype=np.float32).reshape(index.ntotal, index.d)
