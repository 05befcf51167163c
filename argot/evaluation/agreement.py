"""Weights of words, meaning and tokens without judgments: by how often their first passages agree.

Two rankers that agree on a first passage are mostly right: chance rarely finds the same one of
thousands. Of words and meaning, that which agrees more often with the tokens has the larger share.
On four corpora a fifth of the questions chose as well unjudged as judged (docs/LOG.md).
"""

from __future__ import annotations

import math

import numpy as np

from argot.ranking.hits import MISSING, Hits

TOKENS = 0.55  # the share of tokens: within a point of the best on all four corpora
WORDS = 0.6  # of the rest, the share of BM25 where both agree with the tokens equally often
UNSEEN = 5  # agreements that either is given beforehand, so that few questions move little


def weights(bm25: Hits, dense: Hits, tokens: Hits) -> dict[str, float]:
    """The weights, by the rankers' names, that the rankings of the same questions speak for.

    BM25's share of what tokens leave is WORDS + log(how often BM25 agrees / how often dense does).
    """
    ratio = (agreements(bm25, tokens) + UNSEEN) / (agreements(dense, tokens) + UNSEEN)
    return shared(min(1.0, max(0.0, WORDS + math.log(ratio))))


def shared(words: float) -> dict[str, float]:
    """The weights, by the rankers' names, where BM25 has this share of what tokens leave."""
    bm25 = round((1 - TOKENS) * words, 2)
    return {"bm25": bm25, "dense": round(1 - TOKENS - bm25, 2), "tokens": TOKENS}


def agreements(one: Hits, other: Hits) -> int:
    """For how many of the questions both rank the same passage first."""
    first, second = one.positions[:, :1], other.positions[:, :1]
    return int(np.sum((first == second) & (first != MISSING)))
