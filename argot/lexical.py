"""BM25 over passages: bm25s, with the stemmer and stop words of the corpus' language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

from argot.params import Settings
from argot.ranking import Hits, tie_order, top_k


class LexicalSettings(Settings):
    """How BM25 reads and weighs words: the section `lexical`."""

    language: str
    k1: float
    b: float


class Bm25:
    """A BM25 index over passages (Lucene's variant; Robertson et al. 1994, Kamphuis et al. 2020)."""

    def __init__(self, index: bm25s.BM25, ids: Sequence[str], language: str) -> None:
        self.index = index
        self.ids = list(ids)
        self.language = language
        self._ties = tie_order(self.ids)

    @classmethod
    def build(cls, ids: Sequence[str], texts: Sequence[str], settings: LexicalSettings, language: str) -> Bm25:
        """Index `texts`, one an id; `language` decides where `settings.language` is 'auto'."""
        raise NotImplementedError

    def search(self, queries: Sequence[str], k: int) -> Hits:
        """The k best passages of each query; passages that share no word with it are no hits."""
        raise NotImplementedError

    def scores(self, query: str) -> NDArray[np.float32]:
        """The score of every passage for one query, (passages,)."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write the index as plain arrays and JSON: nothing in it can run code."""
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path, mmap: bool = False) -> Bm25:
        """Read what `save` wrote."""
        raise NotImplementedError
