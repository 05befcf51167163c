"""The corpus' words: how rare each is, and how it is written."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from argot.documents.words import LETTERS
from argot.ranking.bm25 import Words

WORD = re.compile(rf"{LETTERS}(?:[-+./_:'’]{LETTERS})*")


class Word(NamedTuple):
    """A word of a text: as it is written, as BM25 counts it, and how rare that is."""

    written: str
    stem: str
    idf: float


class Vocabulary:
    """How many passages hold each stem, for the idf of Robertson and Spärck Jones, as in BM25."""

    def __init__(self, texts: Iterable[str], language: str) -> None:
        self.language = language
        words = Words(language)
        self._stem = cache(lambda written: (words.of(written) or [""])[0])
        self.counts: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.texts = 0
        for text in texts:
            self.texts += 1
            found = WORD.findall(text)
            self.written.update(word.lower() for word in found)
            self.counts.update({stem for word in found if (stem := self._stem(word.lower()))})

    def idf(self, stem: str) -> float:
        """High for stems that few passages hold."""
        count = self.counts[stem]
        return math.log(1 + (self.texts - count + 0.5) / (count + 0.5))

    def words(self, text: str) -> list[Word]:
        """The words of `text` that are no stop words, in their order."""
        stemmed = ((word, self._stem(word.lower())) for word in WORD.findall(text))
        return [Word(word, stem, self.idf(stem)) for word, stem in stemmed if stem]

    def stems(self, text: str) -> frozenset[str]:
        """The distinct stems of `text`."""
        return frozenset(word.stem for word in self.words(text))
