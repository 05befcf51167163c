"""Groups of documents that say nearly the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

from argot.documents.words import WORD

SHINGLE, PERMUTATIONS, SEED = 5, 128, 13
# The probability that a pair exactly at the threshold is a candidate.
RECALL = 0.999
# Documents whose shingles stay in memory: neighbours by path are often copies of each other.
REMEMBERED = 256


def group(rows: Sequence[dict[str, Any]], threshold: float) -> None:
    """Set each row's `group`: the smallest path among its near-duplicates and theirs.

    Near-duplicates have a Jaccard similarity of their shingles of at least `threshold`: MinHash
    finds the candidates (Broder 1997), which are then compared exactly. The rows, with keys
    `document` and `text`, are sorted by path.
    """
    from rensa import RMinHash, RMinHashLSH

    leaders: dict[bytes, int] = {}  # the first of those with the same words, by a hash of these
    index = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=bands(threshold))
    parents = list(range(len(rows)))
    shingles_of = lru_cache(REMEMBERED)(lambda number: frozenset(shingles(rows[number]["text"])))
    for number, row in enumerate(rows):
        words = " ".join(WORD.findall(row["text"].lower()))
        leader = leaders.setdefault(sha256(words.encode("utf-8", "surrogatepass")).digest(), number)
        parents[number] = leader
        if leader != number:
            continue
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
        sketch.update(shingles(row["text"]))
        for other in index.query(sketch):
            # Of many copies of one text one comparison is enough.
            known = _root(parents, number) == _root(parents, other)
            if not known and _jaccard(shingles_of(number), shingles_of(other)) >= threshold:
                _join(parents, number, other)
        index.insert(number, sketch)
    for number, row in enumerate(rows):
        row["group"] = rows[_root(parents, number)]["document"]


def shingles(text: str) -> list[str]:
    """Runs of five words, whatever their case; a shorter text is one."""
    words = WORD.findall(text.lower())
    runs = zip(*(words[offset:] for offset in range(SHINGLE)), strict=False)
    return [" ".join(run) for run in runs] or [" ".join(words)]


def bands(threshold: float) -> int:
    """The fewest bands of a signature that make a pair at the threshold t a candidate.

    They do so with a probability of at least RECALL.

    Two signatures agree in a band of r values with probability t^r, so they agree in at least one
    of b bands with probability 1 - (1 - t^r)^b.
    """
    fits = (
        count
        for count in (4, 8, 16, 32, 64)
        if (1 - threshold ** (PERMUTATIONS // count)) ** count <= 1 - RECALL
    )
    return next(fits, PERMUTATIONS)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def _join(parents: list[int], one: int, other: int) -> None:
    """Join two groups. Rows are sorted by path, so the smaller number is the smaller path."""
    first, second = sorted((_root(parents, one), _root(parents, other)))
    parents[second] = first
