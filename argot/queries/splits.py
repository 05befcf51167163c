"""Which split a document belongs to: decided by a hash of its path, and by its near-duplicates."""

from __future__ import annotations

import hashlib


def split_of(name: str, dev_share: float, test_share: float) -> str:
    """train, dev or test, by a hash of `name`."""
    point = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    if point < test_share:
        return "test"
    return "dev" if point < test_share + dev_share else "train"


def side_of(document: str, group: str, dev_share: float, test_share: float) -> str:
    """The split of a document of a near-duplicate group, or "" where it takes no part.

    A document's path alone says on which side it may be. It is there unless the first document of
    its group, by path, belongs to another side: then it takes no part, so that no two near-copies
    are on different sides. So whatever documents come, go or change, every other document is on
    the same side as before, or on none: a near-copy may leave it out, or let it in again, but
    never moves it from one split to another.
    """
    side = split_of(document, dev_share, test_share)
    return side if side == split_of(group, dev_share, test_share) else ""
