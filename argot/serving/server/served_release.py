"""A release for many users at once: batched searches, and BM25 alone where the model fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from argot.encoding.embedder import Role
from argot.errors import ModelError
from argot.ranking.bm25 import TERM
from argot.ranking.dense import Dense
from argot.ranking.tokens import ByToken
from argot.search.release import MANIFEST, read_manifest, replaced
from argot.search.retriever import HYBRID, Filter, Passage, Retriever
from argot.search.rights import ALL
from argot.serving.server.batching import Batcher
from argot.serving.server.server_settings import RequestLimits

WARM_UP = "warm up"


class SearchKey(NamedTuple):
    """Searches with the same key run in one batch."""

    k: int
    mode: str
    filter: str  # as JSON text: a key of the batcher must be hashable, which a dict is not
    groups: frozenset[str] | None


@dataclass(frozen=True)
class SearchOutcome:
    """The passages and the mode they were found by."""

    passages: list[Passage]
    mode: str
    problem: str = ""  # why the model did not search
    unmet: str = ""  # why no document passes the filter


class ServedRelease:
    """A release that many threads may ask; its model loads in the background.

    Opening it checks the release and loads everything but the model. Raises ReleaseError where a
    file differs from the manifest.
    """

    def __init__(
        self,
        folder: Path,
        limits: RequestLimits,
        device: str = "auto",
        batches: Callable[[int], object] | None = None,
    ) -> None:
        self.retriever = Retriever.load(folder, device=device)
        self.manifest = self.retriever.manifest
        self.limits = limits
        self.id = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]
        self._row = {id: row for row, id in enumerate(self.retriever.chunks["chunk"].to_pylist())}
        self._read_all()
        # `id` was read after the manifest, and may be that of a newer release.
        if read_manifest(folder) != self.manifest:
            raise replaced(folder / MANIFEST)
        self._cores = 1
        self.batcher = Batcher(self._warm_up, self._begin, self._work, limits.batch, batches)

    @property
    def needs_model(self) -> bool:
        """Does a search that names no mode need the model?"""
        return self.manifest.verdict.mode != "bm25"

    def find(
        self,
        query: str,
        k: int,
        mode: str | None = None,
        filter: Filter | None = None,
        groups: frozenset[str] | None = None,
    ) -> SearchOutcome:
        """Search as `groups`; where the model fails or takes too long, by BM25 alone."""
        return self.find_many([query], k, mode, filter, groups)[0]

    def find_many(
        self,
        queries: Sequence[str],
        k: int,
        mode: str | None = None,
        filter: Filter | None = None,
        groups: frozenset[str] | None = None,
    ) -> list[SearchOutcome]:
        """`find` for several queries, which are computed together."""
        # An unknown mode is refused here, so that it takes no place in a batch.
        self.retriever.fusion(mode)
        mode = mode or self.manifest.verdict.mode
        problem = ""
        if mode != "bm25":
            key = SearchKey(k, mode, json.dumps(filter or {}, sort_keys=True), groups)
            futures: list[Future[Any]] = []
            try:
                for query in queries:
                    futures.append(self._submit(key, query))
                return [SearchOutcome(self._wait(future), mode) for future in futures]
            except ModelError as error:
                problem = str(error)
                for future in futures:
                    future.cancel()
        found = self.retriever.search_many(queries, k, "bm25", filter, groups)
        return [SearchOutcome(passages, "bm25", problem) for passages in found]

    def search(
        self,
        query: str,
        k: int = 10,
        mode: str | None = None,
        filter: Filter | None = None,
        groups: frozenset[str] | None = None,
    ) -> list[Passage]:
        """The passages of `find`, by the same arguments as `Retriever.search`."""
        return self.find(query, k, mode, filter, groups).passages

    def cut_off(self, query: str) -> str:
        """What to tell a user whose query is longer than the model's window; else nothing."""
        embedder = self.retriever.embedder
        tokens = int(embedder.token_counts([query], "query")[0])
        if tokens <= embedder.max_tokens:
            return ""
        return f"the model read only the first {embedder.max_tokens} of the query's {tokens} tokens"

    def vectors(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        """Vectors of many texts, (texts, dimension), the same as the embedder's own.

        They are encoded in batches, so that searches of other users run in between.
        """
        vectors = np.empty((len(texts), self.manifest.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for at in range(0, len(order), self.limits.batch):
            rows = order[at : at + self.limits.batch]
            futures = [self.batcher.submit(role, texts[row]) for row in rows]
            for row, future in zip(rows, futures, strict=True):
                vectors[row] = future.result()
        return vectors

    def matched(self, query: str, passage: Passage) -> list[str]:
        """The words of a passage, in lower case, that BM25 counts as words of the query."""
        terms = self.retriever.bm25.words
        wanted = frozenset(terms.of(query))
        words = {
            match.group().lower() for match in TERM.finditer(f"{passage.heading} {passage.text}")
        }
        return sorted(word for word in words if not wanted.isdisjoint(_terms(terms.indexed, word)))

    def passage(self, id: str, groups: frozenset[str] | None = None) -> dict[str, Any] | None:
        """A passage's row, or None where this release has no such passage for these groups."""
        row, seen = self._row.get(id), self.retriever.seen(groups)
        hidden = row is None or (seen is not None and row not in seen)
        return None if hidden else self.retriever.chunks.slice(row, 1).to_pylist()[0]

    def hidden(self, documents: Collection[str], groups: frozenset[str] | None) -> set[str]:
        """Those of some documents that this release has, and hides from these groups."""
        seen = self.retriever.seen(groups)
        if seen is None:
            return set()
        names = self.retriever.chunks["document"]
        shown = set(names.take(seen).to_pylist())
        return {name for name in set(names.to_pylist()) - shown if name in documents}

    def counts(self, groups: frozenset[str] | None) -> dict[str, int | float]:
        """How many passages and documents these groups may see."""
        seen = self.retriever.seen(groups)
        if seen is None:
            documents = self.manifest.figures.get("documents", 0)
            return {"passages": self.manifest.passages, "documents": documents}
        documents = len(self.retriever.chunks["document"].take(seen).unique())
        return {"passages": len(seen), "documents": documents}

    def close(self) -> None:
        """Answer what was asked, then let go of the model."""
        self.batcher.close()

    def _read_all(self) -> None:
        """Read every file now: the folder may be replaced while this release still answers."""
        self.retriever.search(WARM_UP, 1, "bm25", groups=ALL)
        self.retriever.metadata_keys()
        len(self.retriever.index)
        if ByToken.name in self.manifest.rankers:
            len(self.retriever.tokens)

    def _submit(self, key: SearchKey, query: str) -> Future[Any]:
        if self.batcher.problem:
            raise ModelError(self.batcher.problem)
        if self.batcher.busy_seconds() > self.limits.patience:
            loading = not self.batcher.ready.is_set()
            raise ModelError("the model is loading" if loading else "the model does not answer")
        return self.batcher.submit(key, query)

    def _wait(self, future: Future[Any]) -> list[Passage]:
        try:
            passages: list[Passage] = future.result(self.limits.patience)
            return passages
        except TimeoutError:
            raise ModelError(f"the model took more than {self.limits.patience:g} s") from None

    def _warm_up(self) -> int:
        """Load the model; return the number of threads that shall use it."""
        import torch

        self.retriever.search(WARM_UP, 1, HYBRID if self.needs_model else Dense.name, groups=ALL)
        # Layers this small don't keep several cores busy: one query a core is faster than one
        # query on all cores.
        self._cores = torch.get_num_threads() if self.retriever.embedder.device == "cpu" else 1
        return min(self._cores, self.limits.workers)

    def _begin(self, workers: int) -> None:
        import torch

        # torch keeps this setting for each thread, so every worker sets its own share of the cores.
        torch.set_num_threads(max(1, self._cores // workers))

    def _work(self, key: SearchKey | Role, items: Sequence[str]) -> Sequence[Any]:
        if isinstance(key, SearchKey):
            filter = json.loads(key.filter)
            return self.retriever.search_many(items, key.k, key.mode, filter, key.groups)
        embedder = self.retriever.embedder
        encode = embedder.encode_queries if key == "query" else embedder.encode_passages
        return list(encode(items))


# The same words occur in passage after passage, and stemming is the slowest step of `matched`.
@lru_cache(maxsize=1 << 16)
def _terms(of: Callable[[str], list[str]], text: str) -> tuple[str, ...]:
    return tuple(of(text))
