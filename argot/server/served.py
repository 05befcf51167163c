"""A release in service: searches and texts batched on its model, and BM25 alone where the model can't answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from argot.embedder import Role
from argot.errors import ModelError
from argot.lexical import TERM
from argot.release import MANIFEST, Mode
from argot.retriever import Filter, Passage, Retriever
from argot.server.batching import Batcher
from argot.server.settings import Limits

WARM_UP = "warm up"


class Search(NamedTuple):
    """What searches must have in common to be made together."""

    k: int
    mode: Mode
    filter: str  # as JSON


@dataclass(frozen=True)
class Found:
    """Passages, by which mode they were found, and what the asker should know about that."""

    passages: list[Passage]
    mode: Mode
    notice: str


class Served:
    """A release for many askers at once; its model loads in a thread of its own.

    Opening it checks the release and loads all but the model; ReleaseError where a part doesn't match the manifest.
    """

    def __init__(
        self, folder: Path, limits: Limits, device: str = "auto", batches: Callable[[int], object] | None = None
    ) -> None:
        self.retriever = Retriever.load(folder, device=device)
        self.manifest = self.retriever.manifest
        self.limits = limits
        self.id = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]
        self._row = {id: row for row, id in enumerate(self.retriever.chunks["chunk"].to_pylist())}
        # Everything is read now: the folder may be replaced while this release still answers.
        self.retriever.search(WARM_UP, 1, "lexical")
        len(self.retriever.metadata_keys)
        len(self.retriever.index)
        self._cores = 1
        self.batcher = Batcher(self._warm_up, self._begin, self._work, limits.batch, batches)

    @property
    def needs_model(self) -> bool:
        """Does this release search by its model, unless told otherwise?"""
        return self.manifest.verdict.mode != "lexical"

    def find(self, query: str, k: int, mode: Mode | None = None, filter: Filter | None = None) -> Found:
        """As `search`; where the model fails or takes too long, BM25 answers alone, and `notice` says so."""
        mode = mode or self.manifest.verdict.mode
        notice = ""
        if mode != "lexical":
            try:
                together = Search(k, mode, json.dumps(filter or {}, sort_keys=True))
                return Found(self._wait(self._submit(together, query)), mode, "")
            except ModelError as error:
                notice = f"found by words alone: {error}"
        return Found(self.retriever.search(query, k, "lexical", filter), "lexical", notice)

    def search(self, query: str, k: int = 10, mode: Mode | None = None, filter: Filter | None = None) -> list[Passage]:
        """As `find`, for `argot.ask`, which wants passages only."""
        return self.find(query, k, mode, filter).passages

    def vectors(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        """Vectors of many texts, (texts, dimension), equal to the embedder's own; others' searches run in between."""
        vectors = np.empty((len(texts), self.manifest.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for at in range(0, len(order), self.limits.batch):
            rows = order[at : at + self.limits.batch]
            futures = [self.batcher.submit(role, texts[row]) for row in rows]
            for row, future in zip(rows, futures, strict=True):
                vectors[row] = future.result()
        return vectors

    def matched(self, query: str, passage: Passage) -> list[str]:
        """The words of a passage, in lower case, that BM25 takes for words of the query."""
        wanted = frozenset(self._terms(query))
        words = {match.group().lower() for match in TERM.finditer(f"{passage.heading} {passage.text}")}
        return sorted(word for word in words if not wanted.isdisjoint(self._terms(word)))

    def passage(self, id: str) -> dict[str, Any] | None:
        """A passage's row, or None where this release has no such passage."""
        row = self._row.get(id)
        return None if row is None else self.retriever.chunks.slice(row, 1).to_pylist()[0]

    def close(self) -> None:
        """Serve what was asked, then let go of the model."""
        self.batcher.close()

    def _submit(self, key: Search, query: str) -> Future[Any]:
        if self.batcher.problem:
            raise ModelError(self.batcher.problem)
        if self.batcher.busy_seconds() > self.limits.patience:
            raise ModelError("the model is loading" if not self.batcher.ready.is_set() else "the model doesn't answer")
        return self.batcher.submit(key, query)

    def _wait(self, future: Future[Any]) -> list[Passage]:
        try:
            passages: list[Passage] = future.result(self.limits.patience)
            return passages
        except TimeoutError:
            future.cancel()
            raise ModelError(f"the model took more than {self.limits.patience:g} s") from None

    def _warm_up(self) -> int:
        import torch

        self.retriever.search(WARM_UP, 1, "dense")
        # One model's short layers keep several cores busy badly; several questions at once keep each core busy well.
        self._cores = torch.get_num_threads() if self.retriever.embedder.device == "cpu" else 1
        return min(self._cores, self.limits.workers)

    def _begin(self, workers: int) -> None:
        import torch

        torch.set_num_threads(max(1, self._cores // workers))  # of this thread alone

    def _work(self, key: Search | Role, items: Sequence[str]) -> Sequence[Any]:
        if isinstance(key, Search):
            return self.retriever.search_many(items, key.k, key.mode, json.loads(key.filter))
        embedder = self.retriever.embedder
        return list(embedder.encode_queries(items) if key == "query" else embedder.encode_passages(items))

    def _terms(self, text: str) -> tuple[str, ...]:
        return _terms(self.retriever.lexical.words.of, text)


# Words come again and again, and stemming one costs as much as all else about it.
@lru_cache(maxsize=1 << 16)
def _terms(of: Callable[[str], list[str]], text: str) -> tuple[str, ...]:
    return tuple(of(text))
