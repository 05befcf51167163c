"""What counts as a word, in any script."""

from __future__ import annotations

import re

# Scripts without spaces between words: each character counts as a word. Of others a word has at most 24 characters, so
# that an address or a blob of base64 counts for what it costs.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{UNSPACED}]|\w[^\s{UNSPACED}]{{0,23}}")


def count_words(text: str) -> int:
    """The number of words in `text`."""
    return sum(1 for _ in WORD.finditer(text))
