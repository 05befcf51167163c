"""What counts as a word, in any script."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from array import array

import numpy as np
from numpy.typing import NDArray

# Scripts without spaces between words: each character counts as a word. Of others a word has at
# most 24 characters, so that an address or a blob of base64 counts for what it costs.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
# Vowel signs and accents, which `\w` does not match and which words of Hindi, Tamil or Hebrew hold;
# and the joiner.
_CANDIDATES = map(chr, range(0x300, 0xFE30))
MARKS = (
    "".join(mark for mark in _CANDIDATES if unicodedata.category(mark) in ("Mn", "Mc")) + "\u200d"
)
LETTERS = rf"[^\W_]+(?:[{MARKS}]+[^\W_]*)*"  # a run of letters and digits with their marks
LINK_TARGET = re.compile(r"\]\([^()\s]*\)")  # of a Markdown link, which nobody reads as words
LONGEST = 24
WORD = re.compile(rf"[{UNSPACED}]|\w[^\s{UNSPACED}]{{0,{LONGEST - 1}}}")
OTHER, LETTER, SINGLE, SPACE = range(4)


def count_words(text: str) -> int:
    """The number of words in `text`."""
    return len(WORD.findall(text))


def word_starts(text: str) -> array[int]:
    """Where the words of `text` start.

    These are the starts of WORD's matches, found by whole arrays of characters ten times as fast.
    """
    characters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kinds = _kinds().take(characters)
    outside = np.ones(len(kinds) + 2, dtype=bool)  # of runs between white space or single words
    np.greater_equal(kinds, SINGLE, out=outside[1:-1])
    bounds = np.flatnonzero(outside[1:] != outside[:-1])
    first, ends = bounds[::2], bounds[1::2]
    marks = np.flatnonzero(kinds.take(first) != LETTER)
    letters = np.append(np.flatnonzero(kinds == LETTER), len(text))
    first[marks] = letters[np.searchsorted(letters, first[marks])]
    long = ends - first > LONGEST
    more = [
        start + match.start()
        for start, end in zip(first[long].tolist(), ends[long].tolist(), strict=True)
        for match in WORD.finditer(text[start:end])
    ]
    short = first[(first < ends) & ~long]
    singles = np.flatnonzero(kinds == SINGLE)
    if more or len(singles):
        short = np.sort(np.concatenate([short, singles, np.array(more, np.int64)]))
    return array("q", short.tobytes())


@functools.lru_cache
def _kinds() -> NDArray[np.uint8]:
    """The kind of every character of Unicode, (1 114 112,)."""
    characters = "".join(map(chr, range(sys.maxunicode + 1)))
    kinds = np.full(len(characters), OTHER, dtype=np.uint8)
    for kind, pattern in ((LETTER, r"\w+"), (SINGLE, f"[{UNSPACED}]+"), (SPACE, r"\s+")):
        for run in re.finditer(pattern, characters):
            kinds[run.start() : run.end()] = kind
    return kinds
