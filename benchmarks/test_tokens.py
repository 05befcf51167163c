"""Candidates ranked again by tokens of 4 bits, against sentence-transformers' MaxSim."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from argot.encoding.store.tokens import Tokens, pack, quantise, unit
from argot.ranking.hits import Hits, ranked, tie_order
from argot.ranking.tokens import TokenIndex
from benchmarks.track import Goal, Track

CANDIDATES, QUESTIONS, VOCABULARY = 160, 50, 30_000
DIMENSION = 384  # of all-MiniLM-L6-v2
PASSAGE, QUESTION = (20, 45), (8, 18)  # vectors of each, least and most
Keep = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def made_up(
    keys: list[str], vectors: tuple[int, int], keep: Keep, random: np.random.Generator
) -> Tokens:
    """Random token vectors for texts of these keys."""
    texts = len(keys)
    lengths = random.integers(*vectors, size=texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = random.standard_normal((offsets[-1], DIMENSION), dtype=np.float32)
    ids = random.integers(0, VOCABULARY, size=offsets[-1]).astype(np.int32)
    codes, scales = keep(unit(values))
    return Tokens(keys, np.split(ids, offsets[1:-1]), codes, scales, offsets)


def test_ranking_candidates_by_tokens(race: Track, scale: Callable[[int], int], base: Path) -> None:
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    random = np.random.default_rng(13)
    passages = made_up([f"{row}" for row in range(scale(10_000))], PASSAGE, pack, random)
    questions = made_up([f"{row}" for row in range(QUESTIONS)], QUESTION, quantise, random)
    index = TokenIndex.build(passages)
    ties = tie_order([f"{row:06}" for row in range(len(passages))])
    chosen = [random.permutation(len(passages))[:CANDIDATES] for _ in range(QUESTIONS)]
    candidates = np.stack(chosen).astype(np.int32)
    modules = [Transformer(str(base)), MultiVectorMask(), Normalize("token_embeddings")]
    peer = MultiVectorEncoder(modules=modules, device="cpu")
    vectors = [torch.from_numpy(passages.vectors(row)) for row in range(len(passages))]
    # The weight of a token is its vector's length: MaxSim of longer vectors is the weighted one.
    weighed = []
    for row, ids in enumerate(questions.ids):
        weights = index.rarity[ids] / index.rarity[ids].sum()
        weighed.append(torch.from_numpy(questions.vectors(row) * weights[:, None]))

    def theirs() -> list[np.ndarray]:
        return [
            peer.similarity([asked], [vectors[place] for place in places])[0].numpy()
            for asked, places in zip(weighed, candidates, strict=True)
        ]

    def ours(asked: Tokens, rows: np.ndarray) -> Hits:
        return ranked(rows, index.score(asked, rows), ties)

    hits = ours(questions, candidates)
    for row, scores in enumerate(theirs()):
        by_place = dict(zip(candidates[row].tolist(), scores.tolist(), strict=True))
        expected = [by_place[place] for place in hits.positions[row].tolist()]
        assert np.allclose(hits.scores[row], expected, atol=1e-5)
    race(
        "ranking by tokens",
        f"{QUESTIONS} questions, one by one, {CANDIDATES} candidates each of {len(passages):,} "
        f"passages, {len(passages.codes) / len(passages):.0f} vectors a passage",
        lambda: [ours(questions.take([row]), candidates[[row]]) for row in range(QUESTIONS)],
        {"MultiVectorEncoder.similarity": Goal(theirs, 3)},
    )
