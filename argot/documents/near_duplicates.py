"""Groups of documents that say nearly the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argot.documents.words import WORD

SHINGLE, PERMUTATIONS, SEED = 5, 128, 13
# The probability that a pair exactly at the threshold is found.
RECALL = 0.999


def group(rows: Sequence[dict[str, Any]], threshold: float) -> None:
    """Set each row's `group`: the smallest path among its near-duplicates and theirs.

    Near-duplicates have a Jaccard similarity of their shingles of at least `threshold`, as MinHash
    estimates it (Broder 1997). The rows, with keys `document` and `text`, are sorted by path.
    """
    from rensa import RMinHash, RMinHashLSH

    leaders: dict[tuple[int, ...], int] = {}  # the first of those with the same signature
    signatures: list[tuple[int, ...]] = []
    index = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=bands(threshold))
    parents = list(range(len(rows)))
    for number, row in enumerate(rows):
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
        sketch.update(shingles(row["text"]))
        signatures.append(tuple(sketch.digest()))
        leader = leaders.setdefault(signatures[number], number)
        parents[number] = leader
        if leader == number:
            for other in index.query(sketch):
                if _similarity(signatures[number], signatures[other]) >= threshold:
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
    """The fewest bands of a signature that find a pair at the threshold t with a probability of
    RECALL.

    Two signatures agree in a band of r values with probability t^r, so they agree in at least one
    of b bands with probability 1 - (1 - t^r)^b.
    """
    fits = (
        count
        for count in (4, 8, 16, 32, 64)
        if (1 - threshold ** (PERMUTATIONS // count)) ** count <= 1 - RECALL
    )
    return next(fits, PERMUTATIONS)


def _similarity(one: Sequence[int], other: Sequence[int]) -> float:
    return sum(map(int.__eq__, one, other)) / PERMUTATIONS


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def _join(parents: list[int], one: int, other: int) -> None:
    """Join two groups. Rows are sorted by path, so the smaller number is the smaller path."""
    first, second = sorted((_root(parents, one), _root(parents, other)))
    parents[second] = first
