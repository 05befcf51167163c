"""Which split a document belongs to: decided by a hash of its near-duplicate group."""

from __future__ import annotations

import hashlib


def split_of(group: str, dev_share: float, test_share: float) -> str:
    """train, dev or test: by a hash, so that new documents move no old one to another split."""
    point = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    if point < test_share:
        return "test"
    return "dev" if point < test_share + dev_share else "train"
