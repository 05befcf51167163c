"""Which passage of the corpus a brought text is.

Texts are compared by their words alone: without case, punctuation, markup, white space and ways to
write a character (Unicode's NFKC).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from argot.documents.words import LINK_TARGET, UNSPACED
from argot.queries.brought.pair import BroughtPair
from argot.queries.refusals import Refused, shortened
from argot.tables.chunks import ChunkRow

WORD = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[^\W_])+")
# A passage is looked for in a longer text by so many first words.
OPENING = 5


class PassageFinder:
    """The passages as one run of words, in the order of documents, and where each begins."""

    def __init__(self, chunks: Sequence[ChunkRow]) -> None:
        self.chunks = chunks
        self.words = [plain(chunk.text) for chunk in chunks]
        self.starts: list[int] = []
        self.places: defaultdict[str, list[int]] = defaultdict(list)  # by document
        self.whole: defaultdict[str, list[int]] = defaultdict(list)  # by all words
        self.opening: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        self.run = " ".join(self._pieces()) + " "
        self.find = lru_cache(1 << 12)(self._find)

    def _pieces(self) -> Iterator[str]:
        """The words of each passage, and a line break before each document; notes all places."""
        at = 0
        for place, (chunk, words) in enumerate(zip(self.chunks, self.words, strict=True)):
            if not self.places[chunk.document]:
                yield "\n"
                at += 2
            self.starts.append(at)
            self.places[chunk.document].append(place)
            for written in {words, plain(chunk.passage)}:
                self.whole[written].append(place)
            self.opening[tuple(words.split(" ")[:OPENING])].append(place)
            yield words
            at += len(words) + 1

    def candidates(self, pair: BroughtPair) -> list[int]:
        """The places of the passages that the pair may mean, all in one document group.

        Refused where there is none, or where several documents hold the text and none is named.
        """
        if pair.document and pair.document not in self.places:
            message = f"'{pair.document}' is no document below data/raw that could be read"
            raise Refused("unknown document", message)
        if not pair.text and not pair.document:
            raise Refused("no positive", "neither a document nor a text is named for the query")
        if not plain(pair.text):
            return self.places[pair.document]
        found = self.find(pair.text, pair.document, pair.heading)
        groups = {self.chunks[place].group for place in found}
        if not found:
            where = pair.document or "any document"
            message = f"'{shortened(pair.text)}' is not in {where}"
            raise Refused("text not found", message)
        if len(groups) > 1:
            message = f"'{shortened(pair.text)}' is in several documents; name one"
            raise Refused("ambiguous", message)
        return found

    def _find(self, text: str, document: str, heading: str) -> list[int]:
        """The places of a text: whole passages, else by the run of words, else those inside it."""
        words = plain(text)
        whole = self.whole.get(plain(f"{heading}\n{text}"), self.whole.get(words, []))
        of_document = [place for place in whole if document in ("", self.chunks[place].document)]
        return of_document or self._in_run(words, document) or self._inside(words, document)

    def _in_run(self, words: str, document: str) -> list[int]:
        """Passages that are whole in `words` where these occur, else the one with most of them."""
        places = self.places[document] if document else range(len(self.chunks))
        low = self.starts[places[0]] - 1
        high = self._end(places[-1]) + 1
        found: dict[int, None] = {}
        needle = f" {words} "
        at = self.run.find(needle, low, high)
        while at >= 0:
            found |= dict.fromkeys(self._held(at + 1, at + 1 + len(words)))
            at = self.run.find(needle, at + 1, high)
        return list(found)

    def _held(self, start: int, end: int) -> list[int]:
        """Passages that lie whole between two places of the run, else the one with most of it."""

        def shared(place: int) -> int:
            return min(end, self._end(place)) - max(start, self.starts[place])

        first = bisect_right(self.starts, start) - 1
        touched = range(first, bisect_left(self.starts, end))
        whole = [place for place in touched if shared(place) == len(self.words[place])]
        return whole or [max(touched, key=shared)]

    def _end(self, place: int) -> int:
        return self.starts[place] + len(self.words[place])

    def _inside(self, words: str, document: str) -> list[int]:
        """Passages that lie whole in `words`, which hold headings or more between them."""
        split = words.split(" ")
        found: dict[int, None] = {}
        for at in range(len(split) - OPENING + 1):
            for place in self.opening.get(tuple(split[at : at + OPENING]), []):
                fits = document in ("", self.chunks[place].document)
                if fits and f" {self.words[place]} " in f" {words} ":
                    found[place] = None
        return list(found)


def plain(text: str) -> str:
    """The words of a text with one space between them."""
    text = LINK_TARGET.sub("] ", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(WORD.findall(text))
