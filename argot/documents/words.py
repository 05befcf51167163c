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
    kinds = _kinds()[characters]
    bound = kinds >= SINGLE
    bounds = np.flatnonzero(bound)
    letters = np.flatnonzero(kinds == LETTER)
    runs = np.cumsum(bound, dtype=np.int32)[letters]  # how many bounds are before
    opens = np.flatnonzero(np.diff(runs, prepend=-1))
    first, ends = letters[opens], np.append(bounds, len(text))[runs[opens]]
    long = ends - first > LONGEST
    more = [
        start + match.start()
        for start, end in zip(first[long].tolist(), ends[long].tolist(), strict=True)
        for match in WORD.finditer(text[start:end])
    ]
    singles = bounds[kinds[bounds] == SINGLE]
    starts = np.concatenate([first[~long], singles, np.asarray(more, dtype=np.int64)])
    starts.sort()
    return array("q", starts.astype(np.int64).tobytes())


@functools.lru_cache
def _kinds() -> NDArray[np.uint8]:
    """The kind of every character of Unicode, (1 114 112,)."""
    characters = "".join(map(chr, range(sys.maxunicode + 1)))
    kinds = np.full(len(characters), OTHER, dtype=np.uint8)
    for kind, pattern in ((LETTER, r"\w+"), (SINGLE, f"[{UNSPACED}]+"), (SPACE, r"\s+")):
        for run in re.finditer(pattern, characters):
            kinds[run.start() : run.end()] = kind
    return kinds
