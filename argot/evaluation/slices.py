"""Kinds of queries told apart: where does the tuned model gain, and where does it lose?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argot.documents.words import count_words
from argot.evaluation.statistics import LEVEL, paired

# Upper ends of each slice, and its name.
LENGTHS = (
    (4, "up to 4 words"),
    (9, "5 to 9 words"),
    (19, "10 to 19 words"),
    (np.inf, "20 words or more"),
)
JARGON = (
    (0.0, "no unknown word"),
    (0.25, "up to a quarter unknown"),
    (np.inf, "more than a quarter unknown"),
)
DOCUMENTS = 10  # named at either end
TINY = 1e-9


def by_length(texts: Sequence[str]) -> list[str]:
    """Each query's slice by its number of words."""
    return [_slice(count_words(text), LENGTHS) for text in texts]


def by_jargon(texts: Sequence[str], model: Path) -> list[str]:
    """Each query's slice by the share of its words that the model's vocabulary lacks, and splits into pieces.

    A model without a tokenizer.json gives no slices.
    """
    from tokenizers import Tokenizer

    file = next(iter(sorted(model.rglob("tokenizer.json"))), None)
    if file is None:
        return []
    encoded = Tokenizer.from_file(str(file)).encode_batch(list(texts), add_special_tokens=False)
    return [_slice(unknown_share(encoding.word_ids), JARGON) for encoding in encoded]


def unknown_share(words: Sequence[int | None]) -> float:
    """The share of words that stand in more than one piece; `words` names each piece's word."""
    counts = np.unique([word for word in words if word is not None], return_counts=True)[1]
    return float((counts > 1).mean()) if len(counts) else 0.0


def compare(
    names: Sequence[str],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    clusters: NDArray[np.int64],
    **draw: int,
) -> dict[str, dict[str, float]]:
    """Means of both systems in each slice, and the interval of their difference, all slices' together at 95 %."""
    slices = np.asarray(names, dtype=object)
    found = {}
    for name in sorted(set(names)):
        part = slices == name
        # Bonferroni: slices share no query, and have little to gain from a joint distribution.
        level = 1 - (1 - LEVEL) / len(set(names))
        gain = paired((ours - theirs)[part, None], clusters[part], level=level, **draw)
        found[name] = {
            "queries": int(part.sum()),
            "ours": float(ours[part].mean()),
            "theirs": float(theirs[part].mean()),
            "difference": float(gain.mean[0]),
            "low": float(gain.low[0]),
            "high": float(gain.high[0]),
        }
    return found


def by_document(
    groups: Sequence[str], difference: NDArray[np.float64]
) -> dict[str, list[dict[str, Any]]]:
    """The documents whose queries lose and gain most, by the sum of differences."""
    names, number = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    sums, counts = np.bincount(number, difference), np.bincount(number)
    order = np.argsort(sums, kind="stable")
    losing, gaining = order[sums[order] < -TINY], order[sums[order] > TINY][::-1]
    return {
        side: [
            {
                "document": str(names[at]),
                "queries": int(counts[at]),
                "difference": float(sums[at] / counts[at]),
            }
            for at in found[:DOCUMENTS]
        ]
        for side, found in (("losing", losing), ("gaining", gaining))
    }


def _slice(value: float, ends: Sequence[tuple[float, str]]) -> str:
    return next(name for end, name in ends if value <= end)
