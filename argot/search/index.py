"""The dense side of a release: passages' vectors in a FAISS index, exact or approximate.

flat     exact, and the choice up to some 50,000 passages: the ranking of the evaluation, ties included
hnsw     a graph over the exact vectors (Malkov and Yashunin, arXiv 1603.09320): fast to search, slow to build
ivf_pq   cells of product-quantised vectors (Jegou et al. 2011), the best candidates scored again by 8 bits a
         dimension: a quarter of the memory, for millions
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from argot.errors import InputError, ReleaseError
from argot.search.dense import among
from argot.search.fusion import DEPTH
from argot.search.hits import MISSING, Hits, search_exact, tie_order

Kind = Literal["flat", "hnsw", "ivf_pq"]
# FAISS' own name of each kind, at the head of the file; the dimension and the number of vectors follow it.
HEADS: dict[bytes, Kind] = {b"IxFI": "flat", b"IHNf": "hnsw", b"IxRF": "ivf_pq"}
FLAT_UP_TO, HNSW_UP_TO = 50_000, 200_000
NEIGHBOURS, BUILD_EFFORT = 32, 200  # of the graph
SUBVECTOR = 8  # dimensions that share one byte in ivf_pq
REFINED = 10  # candidates that ivf_pq scores again, for each passage asked for
EFFORTS = tuple(2**power for power in range(4, 13))  # efSearch or nprobe, least first
CUTOFF = 10
FEW = 32  # up to so many queries one BLAS thread is faster: 3 ms instead of 12 (_one_blas_thread)
SHARD = 1 << 17  # vectors that are added to ivf_pq at a time
PRODUCT = threading.Lock()

Vectors = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Each = Callable[[Callable[[Bytes, Vectors], Bytes], Bytes, Iterable[Vectors]], Iterable[Bytes]]


def in_turn(
    work: Callable[[Bytes, Vectors], Bytes], common: Bytes, parts: Iterable[Vectors]
) -> Iterator[Bytes]:
    """What `work(common, part)` gives for each part, done here."""
    return (work(common, part) for part in parts)


class VectorIndex:
    """A FAISS index over normalised vectors, (passages, dimension), by inner product."""

    def __init__(self, index: Any, kind: Kind) -> None:
        self.index = index
        self.kind = kind

    @property
    def dimension(self) -> int:
        """Of each vector."""
        return int(self.index.d)

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @classmethod
    def build(cls, vectors: Vectors, kind: Kind = "flat", each: Each = in_turn) -> VectorIndex:
        """Index `vectors`, (passages, dimension); the same vectors give the same bytes.

        ivf_pq is filled shard by shard: `each` does the work on them, here or elsewhere.
        """
        index = cls(_empty(kind, *vectors.shape), kind)
        cards = _on_cards(index.index) if kind == "ivf_pq" else None
        with _threads(1):
            index.index.train(vectors)
        del cards  # which FAISS holds no reference to
        if kind == "ivf_pq":
            parts = (vectors[start : start + SHARD] for start in range(0, len(vectors), SHARD))
            for shard in each(_filled, index.to_bytes(), parts):
                index.merge(cls.from_bytes(shard))
        else:
            index.add(vectors)
        return index

    def add(self, vectors: Vectors) -> None:
        """Add `vectors`, (passages, dimension), after those that are there."""
        # With several threads FAISS links the graph in the order in which they happen to come.
        with _threads(1):
            self.index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def merge(self, other: VectorIndex) -> None:
        """Move the vectors of another ivf_pq index with the same training behind those of this one."""
        cells, store = self._cells, self._store
        cells.merge_from(other._cells, cells.ntotal)
        store.merge_from(other._store)
        self._whole.ntotal = cells.ntotal

    def to_bytes(self) -> Bytes:
        """What `save` writes."""
        import faiss

        return np.asarray(faiss.serialize_index(self.index), dtype=np.uint8)

    @classmethod
    def from_bytes(cls, content: Bytes) -> VectorIndex:
        """The index that `to_bytes` wrote."""
        import faiss

        return cls(faiss.deserialize_index(content), HEADS[content[:4].tobytes()])

    def save(self, path: Path) -> None:
        """Write the index in FAISS' own format."""
        import faiss

        faiss.write_index(self.index, str(path))

    @classmethod
    def load(cls, path: Path) -> VectorIndex:
        """Read what `save` wrote; ReleaseError if its head is of no known kind, or FAISS can't read it."""
        faiss = import_faiss()
        kind, _, _ = read_head(path)
        try:
            return cls(faiss.read_index(str(path)), kind)
        except RuntimeError as error:
            raise ReleaseError(
                f"{path} can't be read by FAISS ({str(error).splitlines()[-1]})"
            ) from None

    @property
    def vectors(self) -> Vectors:
        """The vectors as they are kept, (passages, dimension): exact but for ivf_pq, which keeps 8 bits a dimension."""
        import faiss

        store = self._store
        if self.kind == "ivf_pq":
            return np.asarray(store.reconstruct_n(0, len(self)), dtype=np.float32)
        flat = faiss.rev_swig_ptr(store.get_xb(), store.ntotal * store.d)
        return np.asarray(flat, dtype=np.float32).reshape(store.ntotal, store.d)

    @property
    def effort(self) -> int:
        """How far a search looks: efSearch of hnsw, nprobe of ivf_pq; kept in the file. 0 where search is exact."""
        if self.kind == "hnsw":
            return int(self.index.hnsw.efSearch)
        return int(self._cells.nprobe) if self.kind == "ivf_pq" else 0

    @effort.setter
    def effort(self, effort: int) -> None:
        if self.kind == "hnsw":
            self.index.hnsw.efSearch = effort
        elif self.kind == "ivf_pq":
            self._cells.nprobe = effort

    def search(
        self,
        queries: Vectors,
        k: int,
        ties: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
    ) -> Hits:
        """The k passages nearest to each query by (score, tie order).

        Among `rows`, where they are given, the search is exact whatever the kind.
        """
        if rows is not None:
            some = np.empty((0, self.dimension), np.float32)
            if len(rows):
                some = self._store.reconstruct_batch(rows)
            return among(rows, search_exact(queries, some, k, ties[rows]))
        if self.kind == "flat":
            with _one_blas_thread() if len(queries) <= FEW else nullcontext():
                return search_exact(queries, self.vectors, k, ties)
        near = self._search_near(queries, min(k, DEPTH), ties)
        if k <= DEPTH:
            return near
        # An approximate index finds others when it is asked for more: those only follow.
        return near.followed_by(self._search_near(queries, k, ties), min(k, len(self)))

    def _search_near(self, queries: Vectors, k: int, ties: NDArray[np.int64]) -> Hits:
        """The k that an approximate index finds."""
        scores, positions = self.index.search(
            np.ascontiguousarray(queries, np.float32), min(k, len(self))
        )
        order = np.lexsort((ties[positions], -scores), axis=1)
        best = np.take_along_axis(positions, order, axis=1).astype(np.int32)
        ranked = np.take_along_axis(scores, order, axis=1)
        return Hits(best, np.where(best == MISSING, -np.inf, ranked).astype(np.float32))

    @property
    def _store(self) -> Any:
        """What keeps the vectors themselves."""
        import faiss

        if self.kind == "hnsw":
            return faiss.downcast_index(self.index.storage)
        return (
            faiss.downcast_index(self._whole.refine_index) if self.kind == "ivf_pq" else self.index
        )

    @property
    def _cells(self) -> Any:
        import faiss

        return faiss.downcast_index(self._whole.base_index)

    @property
    def _whole(self) -> Any:
        import faiss

        return faiss.downcast_index(self.index)


def import_faiss() -> Any:
    """The module `faiss`; InputError with the command that installs it where it is missing."""
    try:
        import faiss
    except ModuleNotFoundError:
        raise InputError(
            "dense search needs FAISS, which is not installed: pip install 'argot-retrieval[cpu]', "
            "or 'argot-retrieval[gpu]' on a machine with a CUDA GPU"
        ) from None
    return faiss


def kind_for(passages: int) -> Kind:
    """The kind that `auto` stands for."""
    if passages <= FLAT_UP_TO:
        return "flat"
    return "hnsw" if passages <= HNSW_UP_TO else "ivf_pq"


def recall(index: VectorIndex, exact: Hits, queries: Vectors) -> float:
    """The share of the ten truly nearest passages that the index finds, over all queries."""
    ties = tie_order([f"{row:09}" for row in range(len(index))])
    found = index.search(queries, exact.positions.shape[1], ties).positions
    return float(
        np.mean(
            [
                len(np.intersect1d(a, b)) / len(b)
                for a, b in zip(found, exact.positions, strict=True)
            ]
        )
    )


def tune(index: VectorIndex, vectors: Vectors, queries: Vectors, target: float) -> float:
    """Set the least effort that finds `target` of the ten `vectors` nearest to each query; return the recall@10.

    Raises InputError, with the recall that was reached, where none does.
    """
    if index.kind == "flat" or not len(queries):
        return 1.0
    ties = tie_order([f"{row:09}" for row in range(len(index))])
    exact = search_exact(queries, vectors, min(CUTOFF, len(index)), ties)
    reached = 0.0
    for effort in EFFORTS:
        index.effort = effort
        reached = recall(index, exact, queries)
        if reached >= target:
            return reached
    raise InputError(
        f"index.kind: {index.kind} reaches recall@10 {reached:.3f} on these passages, index.recall asks for {target}: "
        "lower it in params.yaml, or take flat"
    )


def read_head(path: Path) -> tuple[Kind, int, int]:
    """Kind, dimension and number of vectors, out of the file's first bytes."""
    with path.open("rb") as file:
        head = file.read(16)
    if len(head) < 16 or head[:4] not in HEADS:
        raise ReleaseError(
            f"{path} is no FAISS index of a known kind ({', '.join(sorted(HEADS.values()))})"
        )
    name, dimension, count = struct.unpack("<4siq", head)
    return HEADS[name], dimension, count


def _empty(kind: Kind, passages: int, dimension: int) -> Any:
    faiss = import_faiss()
    if kind == "flat":
        return faiss.IndexFlatIP(dimension)
    if kind == "hnsw":
        index: Any = faiss.IndexHNSWFlat(dimension, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD_EFFORT
        return index
    # FAISS wants 39 vectors a cell, and 256 for the codes of product quantisation.
    cells = max(1, min(int(4 * passages**0.5), passages // 39))
    parts = next(
        parts for parts in range(max(1, dimension // SUBVECTOR), 0, -1) if dimension % parts == 0
    )
    if passages < 256:
        raise InputError(
            f"index.kind: ivf_pq needs 256 passages or more, there are {passages}; take flat"
        )
    # np: without the order of centroids that only a polysemous search needs, and that takes sixty times the training.
    index = faiss.index_factory(
        dimension, f"IVF{cells},PQ{parts}np,Refine(SQ8)", faiss.METRIC_INNER_PRODUCT
    )
    # A downcast index doesn't own itself: what was made must be kept.
    refined: Any = faiss.downcast_index(index)
    refined.k_factor = REFINED
    return index


def _filled(empty: Bytes, vectors: Vectors) -> Bytes:
    """An ivf_pq index of some vectors, with the training of an empty one."""
    index = VectorIndex.from_bytes(empty)
    index.add(vectors)
    return index.to_bytes()


def _on_cards(index: Any) -> Any:
    """Let the cells' k-means run on the graphics cards, where the faiss at hand knows of any; what it runs on."""
    import faiss

    if not faiss.get_num_gpus():
        return None
    refined: Any = faiss.downcast_index(index)
    cells: Any = faiss.downcast_index(refined.base_index)
    cells.clustering_index = cards = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(index.d))
    return cards


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Keep BLAS to this thread: its own, once woken, wait for more work by spinning, where torch's would encode next.

    A question took 12 ms with them and 3 ms without (two cores, 10,000 passages).
    """
    with PRODUCT, _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
