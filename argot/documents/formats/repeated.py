"""Text with which most pages of a site begin or end: its banner, its notices, its footer.

Nothing in a single page tells them from its content, so all pages are compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from hashlib import blake2b
from itertools import takewhile
from typing import Any

from argot.documents.markdown import Block, blocks
from argot.documents.words import count_words

# A site has at least this many pages. A block is repeated where more than this share of them have
# it among this many blocks at either end.
PAGES, SHARE, EDGE = 10, 0.5, 10
# Pages of which more than this share of the words is repeated are versions of one text, not a
# site: they stay whole.
VERSIONS = 0.5
# The figures name a text by this many characters.
NAMED = 100


def leave_out_repeated(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take what the pages of a site repeat out of their `text`; the first page keeps it.

    A site is all HTML pages in one folder of data/raw and below it. The rows, with keys
    `document`, `format` and `text`, are sorted by path. Returns what was left out: its folder, its
    text, and from how many documents.
    """
    sites: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["format"] == "html":
            sites[row["document"].rpartition("/")[0].partition("/")[0]].append(row)
    return [
        {"folder": folder, "text": text[:NAMED], "documents": documents}
        for folder, pages in sorted(sites.items())
        for text, documents in sorted(_leave_out(pages).items())
    ]


def _leave_out(pages: Sequence[dict[str, Any]]) -> Counter[str]:
    """Shorten the pages of a site; from how many of them each text was left out."""
    if len(pages) < PAGES:
        return Counter()
    repeated = _repeated([page["text"] for page in pages])
    seen: set[str] = set()
    shorter, left_out = [], Counter[str]()
    for page in pages:
        text, gone = _without(page["text"], repeated, seen)
        shorter.append(text)
        left_out.update(gone)
    words = sum(count_words(page["text"]) for page in pages)
    if sum(map(count_words, shorter)) < (1 - VERSIONS) * words:
        return Counter()
    for page, text in zip(pages, shorter, strict=True):
        page["text"] = text
    return left_out


def _without(text: str, repeated: Collection[bytes], seen: set[str]) -> tuple[str, set[str]]:
    """A page without the texts at its ends that earlier pages have; and these texts."""
    ends = _ends(text, repeated)
    gone = [block for block in ends if _text(text, block) in seen]
    texts = {_text(text, block) for block in gone}
    seen.update(_text(text, block) for block in ends)
    for block in reversed(gone):
        text = text[: block.start] + text[block.end :].lstrip("\n")
    return text.strip(), texts


def _repeated(texts: Sequence[str]) -> set[bytes]:
    """The keys of blocks that most texts have near their ends."""
    counts: Counter[bytes] = Counter()
    for text in texts:
        found = [*blocks(text)]
        counts.update({_key(text, block) for block in [*found[:EDGE], *found[-EDGE:]]})
    return {key for key, count in counts.items() if count > SHARE * len(texts)}


def _ends(text: str, repeated: Collection[bytes]) -> list[Block]:
    """Repeated blocks before the first heading, and after the last text of the page's own.

    What follows a heading is a section, however many pages have it: "Warranty: two years".
    """

    def is_repeated(block: Block) -> bool:
        return block.kind != "heading" and _key(text, block) in repeated

    found = [*blocks(text)]
    start = [*takewhile(is_repeated, found[:EDGE])]
    end = [*takewhile(is_repeated, found[: -EDGE - 1 : -1])]
    own = found[: len(found) - len(end)]
    if not own:
        return []
    return start if own[-1].kind == "heading" else [*start, *reversed(end)]


def _text(text: str, block: Block) -> str:
    return text[block.start : block.end]


def _key(text: str, block: Block) -> bytes:
    """What is kept in memory for the text of a block, as there are many blocks."""
    return blake2b(_text(text, block).encode(), digest_size=8).digest()
