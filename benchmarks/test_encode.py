"""Passages to vectors on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from argot.encoding.embedder import Embedder, Precision
from benchmarks.prose import Author
from benchmarks.track import Goal, Track

REASON = (
    "at equal precision both spend their time in the same matrix products of torch; fixed shapes, "
    "which make a vector "
    "the same to the last bit in every batch, cost some padding"
)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_encoding_passages(
    race: Track, scale: Callable[[int], int], base: Path, precision: Precision
) -> None:
    """Passages of 20 to 100 made-up words; the base model's window cuts the longest."""
    from sentence_transformers import SentenceTransformer

    texts = Author().passages(scale(2_000), words=60)
    peer, ours = (
        SentenceTransformer(str(base), device="cpu"),
        Embedder.load(base, "cpu", precision=precision),
    )

    def theirs() -> np.ndarray:
        return np.asarray(peer.encode(texts, batch_size=32, normalize_embeddings=True))

    tokens = int(ours.token_counts(texts).clip(max=ours.max_tokens).sum())
    cosine = (ours.encode_passages(texts) * theirs()).sum(axis=1)
    assert cosine.min() >= 0.9999
    race(
        f"encoding, {precision}",
        f"{len(texts):,} passages, {tokens:,} tokens",
        lambda: ours.encode_passages(texts),
        {"SentenceTransformer.encode": Goal(theirs, 1.3, REASON)},
    )
