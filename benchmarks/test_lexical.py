"""BM25 over many passages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

import numpy as np
from rank_bm25 import BM25Okapi

from argot.ranking.bm25 import Bm25, LexicalSettings
from benchmarks.prose import Author
from benchmarks.track import Goal, Track

K = 10
TERMS = 5


def test_bm25_over_many_passages(race: Track, scale: Callable[[int], int]) -> None:
    """100,000 passages, 1,000 queries, the ten best of each.

    rank-bm25 knows no variant of ours, but its Okapi differs from Lucene's in the idf alone, which
    is a table: with Lucene's in it, its ranking is ours.
    """
    author = Author()
    texts, asked = author.passages(scale(100_000), words=30), scale(1_000)
    queries = [" ".join(author.some(TERMS)) for _ in range(asked)]
    ids = [f"{place:06d}" for place in range(len(texts))]
    ours = Bm25.build(ids, texts, LexicalSettings(language="auto", k1=1.2, b=0.75), "en")
    peer = BM25Okapi([ours.words.of(text) for text in texts], k1=1.2, b=0.75)
    holding = Counter(chain.from_iterable(peer.doc_freqs))
    peer.idf = {term: np.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for term, n in holding.items()}
    places = list(range(len(texts)))

    def theirs(some: list[str]) -> list[list[int]]:
        return [peer.get_top_n(ours.words.of(query), places, n=K) for query in some]

    sample = queries[:: max(1, len(queries) // 20)]
    hits = ours.search(sample, K)
    for query, positions, scores in zip(sample, hits.positions, hits.scores, strict=True):
        all_scores = peer.get_scores(ours.words.of(query)) / (
            1.2 + 1
        )  # a factor that Lucene leaves out
        best = np.sort(all_scores)[::-1][:K]
        assert np.allclose(all_scores[positions[positions >= 0]], best[positions >= 0], rtol=1e-5)
        assert np.allclose(scores[positions >= 0], best[positions >= 0], rtol=1e-5)

    race(
        "BM25",
        f"{len(texts):,} passages, {len(queries):,} queries of {TERMS} words",
        lambda: ours.search(queries, K),
        {"rank-bm25": Goal(lambda: theirs(queries), 100)},
    )
