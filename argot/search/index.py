"""The dense side of a release: passages' vectors in a FAISS index, exact or approximate.

flat     Exact search: the ranking of the evaluation, ties included. The choice up to 50,000
         passages.
hnsw     A graph over the exact vectors (Malkov and Yashunin, arXiv 1603.09320): fast to search,
         slow to build.
ivf_pq   Cells of product-quantised vectors (Jegou et al. 2011). The best candidates are scored
         again by 8 bits a dimension. It takes a quarter of the memory, for millions of passages.
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
from argot.ranking.dense import among
from argot.ranking.fusion import DEPTH
from argot.ranking.hits import MISSING, Hits, search_exact, tie_order

Kind = Literal["flat", "hnsw", "ivf_pq"]
# FAISS' own name of each kind: the first four bytes of its file. The dimension and the number of
# vectors follow.
HEADS: dict[bytes, Kind] = {b"IxFI": "flat", b"IHNf": "hnsw", b"IxRF": "ivf_pq"}
# `auto` takes flat and hnsw up to these numbers of passages.
FLAT_UP_TO, HNSW_UP_TO = 50_000, 200_000
# M and efConstruction of the graph of hnsw.
NEIGHBOURS, BUILD_EFFORT = 32, 200
# This many dimensions share one byte in ivf_pq.
SUBVECTOR = 8
# For each passage that is asked for, ivf_pq scores this many candidates again.
REFINED = 20
# `tune` tries these values of efSearch or nprobe, the least first: 16, 32, ... 4096.
EFFORTS = tuple(2**power for power in range(4, 13))
CUTOFF = 10
# Up to this many queries one BLAS thread is faster, 3 ms instead of 12 (see _one_blas_thread).
FEW = 32
# This many vectors are added to ivf_pq at a time.
SHARD = 1 << 17
# The limit on BLAS' threads holds for the whole process, so that one search at a time may set it.
PRODUCT = threading.Lock()

Vectors = NDArray[np.float32]
Bytes = NDArray[np.uint8]
# Fills an empty index with some vectors; both indexes are in FAISS' bytes.
Fill = Callable[[Bytes, Vectors], Bytes]
# Applies such a function to each of many shards, here or on other machines, and keeps their order.
MapShards = Callable[[Fill, Bytes, Iterable[Vectors]], Iterable[Bytes]]


def in_turn(work: Fill, common: Bytes, parts: Iterable[Vectors]) -> Iterator[Bytes]:
    """`work(common, part)` for each part, one after the other in this process."""
    return (work(common, part) for part in parts)


class VectorIndex:
    """A FAISS index over normalised vectors, (passages, dimension), by inner product."""

    def __init__(self, index: Any, kind: Kind) -> None:
        self.index = index
        self.kind = kind

    @property
    def dimension(self) -> int:
        """The number of dimensions of a vector."""
        return int(self.index.d)

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @classmethod
    def build(
        cls, vectors: Vectors, kind: Kind = "flat", map_shards: MapShards = in_turn
    ) -> VectorIndex:
        """Index `vectors`, (passages, dimension); the same vectors give the same bytes.

        ivf_pq is filled shard by shard, which `map_shards` may do elsewhere.
        """
        index = cls(_empty(kind, *vectors.shape), kind)
        # FAISS keeps no reference to the index on the GPUs: this name does until it is trained.
        on_gpus = _train_on_gpus(index.index) if kind == "ivf_pq" else None
        # One thread, so that the same vectors give the same bytes.
        with _threads(1):
            index.index.train(vectors)
        del on_gpus
        if kind == "ivf_pq":
            shards = (vectors[start : start + SHARD] for start in range(0, len(vectors), SHARD))
            for filled in map_shards(_filled, index.to_bytes(), shards):
                index.merge(cls.from_bytes(filled))
        else:
            index.add(vectors)
        return index

    def add(self, vectors: Vectors) -> None:
        """Add `vectors`, (passages, dimension), after those that are there."""
        # With several threads FAISS would link the graph in an order that differs from run to run.
        with _threads(1):
            self.index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def merge(self, other: VectorIndex) -> None:
        """Move the vectors of another ivf_pq index, of the same training, behind this one's."""
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
        """Read what `save` wrote.

        ReleaseError if its head is of no known kind, or FAISS can't read it.
        """
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
        """The vectors as they are kept, (passages, dimension).

        They are exact, except those of ivf_pq, which keeps 8 bits a dimension.
        """
        import faiss

        store = self._store
        if self.kind == "ivf_pq":
            return np.asarray(store.reconstruct_n(0, len(self)), dtype=np.float32)
        # A view of FAISS' own memory: nothing is copied.
        flat = faiss.rev_swig_ptr(store.get_xb(), store.ntotal * store.d)
        return np.asarray(flat, dtype=np.float32).reshape(store.ntotal, store.d)

    @property
    def effort(self) -> int:
        """How far a search looks: efSearch of hnsw, nprobe of ivf_pq, 0 for exact search.

        It is kept in the file.
        """
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
            return among(rows, search_exact(queries, self.some(rows), k, ties[rows]))
        if self.kind == "flat":
            with _one_blas_thread() if len(queries) <= FEW else nullcontext():
                return search_exact(queries, self.vectors, k, ties)
        best = self._approximate(queries, min(k, DEPTH), ties)
        if k <= DEPTH:
            return best
        # An approximate index that is asked for more finds others; they follow the first DEPTH.
        return best.followed_by(self._approximate(queries, k, ties), min(k, len(self)))

    def _approximate(self, queries: Vectors, k: int, ties: NDArray[np.int64]) -> Hits:
        """The k nearest passages that the index of FAISS finds."""
        scores, positions = self.index.search(
            np.ascontiguousarray(queries, np.float32), min(k, len(self))
        )
        # FAISS sorts by score alone.
        order = np.lexsort((ties[positions], -scores), axis=1)
        best = np.take_along_axis(positions, order, axis=1).astype(np.int32)
        ranked = np.take_along_axis(scores, order, axis=1)
        return Hits(best, np.where(best == MISSING, -np.inf, ranked).astype(np.float32))

    def some(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors of the passages at these positions, as they are kept."""
        if not len(rows):
            return np.empty((0, self.dimension), np.float32)
        return np.asarray(self._store.reconstruct_batch(rows), dtype=np.float32)

    @property
    def _store(self) -> Any:
        """The part of FAISS' index that keeps the vectors themselves."""
        import faiss

        if self.kind == "hnsw":
            return faiss.downcast_index(self.index.storage)
        if self.kind == "ivf_pq":
            return faiss.downcast_index(self._whole.refine_index)
        return self.index

    @property
    def _cells(self) -> Any:
        """The part of ivf_pq that finds candidates: cells of product-quantised vectors."""
        import faiss

        return faiss.downcast_index(self._whole.base_index)

    @property
    def _whole(self) -> Any:
        """The index as FAISS' own class of it, whose parts can be reached."""
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
    """The kind that `auto` chooses for so many passages."""
    if passages <= FLAT_UP_TO:
        return "flat"
    return "hnsw" if passages <= HNSW_UP_TO else "ivf_pq"


def recall(index: VectorIndex, exact: Hits, queries: Vectors) -> float:
    """The share of the truly nearest passages, `exact`, that the index finds, over all queries.

    It is asked for DEPTH passages, as a search asks, and finds more of the nearest among them.
    """
    ties = tie_order([f"{row:09}" for row in range(len(index))])
    found = index.search(queries, DEPTH, ties).positions[:, : exact.positions.shape[1]]
    shares = []
    for ours, true in zip(found, exact.positions, strict=True):
        shares.append(len(np.intersect1d(ours, true)) / len(true))
    return float(np.mean(shares))


def tune(index: VectorIndex, vectors: Vectors, queries: Vectors, target: float) -> float:
    """Set the least effort that reaches a recall@10 of `target`; return the recall@10.

    The recall is the share of the ten `vectors` nearest to each query that the index finds. Raises
    InputError, with the recall that was reached, where no effort is enough.
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
        f"index.kind: {index.kind} reaches recall@10 {reached:.3f} on these passages, "
        f"index.recall asks for {target}: lower it in params.yaml, or take flat"
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
    """An index of FAISS without vectors, sized for so many passages."""
    faiss = import_faiss()
    if kind == "flat":
        return faiss.IndexFlatIP(dimension)
    if kind == "hnsw":
        index: Any = faiss.IndexHNSWFlat(dimension, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD_EFFORT
        return index
    # The codes of product quantisation have 256 values, each of which must be learnt from a vector.
    if passages < 256:
        raise InputError(
            f"index.kind: ivf_pq needs 256 passages or more, there are {passages}; take flat"
        )
    # FAISS recommends 4 sqrt(passages) cells, and wants at least 39 vectors to train a cell.
    cells = max(1, min(int(4 * passages**0.5), passages // 39))
    # The parts of a vector must have the same size: the largest number of parts that divides it.
    most = max(1, dimension // SUBVECTOR)
    parts = next(parts for parts in range(most, 0, -1) if dimension % parts == 0)
    # "np" leaves out an order of centroids that only a polysemous search needs: training would take
    # sixty times as long with it.
    index = faiss.index_factory(
        dimension, f"IVF{cells},PQ{parts}np,Refine(SQ8)", faiss.METRIC_INNER_PRODUCT
    )
    # A downcast index doesn't own its memory: `index` itself is what must be returned.
    refined: Any = faiss.downcast_index(index)
    refined.k_factor = REFINED
    return index


def _filled(empty: Bytes, vectors: Vectors) -> Bytes:
    """An ivf_pq index of some vectors, with the training of an empty one."""
    index = VectorIndex.from_bytes(empty)
    index.add(vectors)
    return index.to_bytes()


def _train_on_gpus(index: Any) -> Any:
    """Let the cells' k-means run on the GPUs; return the index on them, or None without a GPU."""
    import faiss

    if not faiss.get_num_gpus():
        return None
    refined: Any = faiss.downcast_index(index)
    cells: Any = faiss.downcast_index(refined.base_index)
    cells.clustering_index = on_gpus = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(index.d))
    return on_gpus


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Keep BLAS to this thread.

    BLAS' own threads, once woken, wait for more work by spinning, on cores that torch needs to
    encode the next query. A question took 12 ms with them and 3 ms without (two cores, 10,000
    passages).
    """
    with PRODUCT, _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads inside the block."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
