"""Spans of a text, measured in words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from argot.documents.words import count_words, word_starts


class Span(NamedTuple):
    """A run of a document: its words, and the header of the table it is from the middle of."""

    start: int
    end: int
    words: int
    header: str = ""


class Text:
    """A text with the places where its words start: words of a span count in logarithmic time."""

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self.language = language
        self.starts = word_starts(text)

    def span(self, start: int, end: int, header: str = "") -> Span:
        """The span without the white space at its ends; its words include the header's."""
        start, end = self._trimmed(start, end)
        first = bisect_left(self.starts, start)
        words = bisect_left(self.starts, end, first) - first
        return Span(start, end, words + count_words(header) if header else words, header)

    def parts(self, cuts: Sequence[int]) -> Iterator[Span]:
        """The spans between neighbouring cuts, without those that hold no word."""
        first = bisect_left(self.starts, cuts[0])
        for start, end in pairwise(cuts):
            last = bisect_left(self.starts, end, first)
            if words := last - first:
                yield Span(*self._trimmed(start, end), words)
            first = last

    def _trimmed(self, start: int, end: int) -> tuple[int, int]:
        """The bounds without the white space at both ends."""
        text = self.text
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        return start, end

    def upto(self, span: Span, end: int) -> Span:
        """The span prolonged to `end`."""
        return self.span(span.start, end, span.header)

    def back(self, start: int, count: int, floor: int) -> int:
        """Where the word starts that is `count` words before `start`, no earlier than `floor`."""
        if count <= 0:
            return start
        return max(floor, self.starts[max(0, bisect_left(self.starts, start) - count)])

    def cut(self, span: Span, seam: re.Pattern[str] | None) -> list[int]:
        """Where to cut a span: its bounds, and the ends of the seams or else of the sentences."""
        if seam is None:
            from sentencex import segment

            lengths = map(len, segment(self.language, self.text[span.start : span.end]))
            cuts = list(accumulate(lengths, initial=span.start))
            return cuts if cuts[-1] == span.end else [span.start, span.end]
        seams = [match.end() for match in seam.finditer(self.text, span.start, span.end)]
        return [span.start, *seams, span.end]

    def cut_words(self, span: Span, limit: int) -> list[int]:
        """Cuts after every `limit` words: the last resort for what has no other seam."""
        first = bisect_left(self.starts, span.start)
        return [span.start, *self.starts[first + limit : first + span.words : limit], span.end]
