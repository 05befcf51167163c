"""Which side of the split a document stands on: decided by a hash of its near-duplicate group."""

from __future__ import annotations

import hashlib


def split_of(group: str, dev_share: float, test_share: float) -> str:
    """train, dev or test. A hash decides, so that adding documents moves no old one to another side."""
    point = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if point < test_share:
        return "test"
    return "dev" if point < test_share + dev_share else "train"
