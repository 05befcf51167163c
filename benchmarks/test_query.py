"""One question after the other: `Retriever.search` against the tutorials' `retrieve()`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from argot import Retriever
from benchmarks.test_server import PASSAGES, alike, make
from benchmarks.track import Goal, Track
from tools.tiny.release import VERDICT
from tools.workspace import ROOT

QUESTIONS = ROOT / "data/queries/questions.jsonl"
K = 5
ASKED = 200
REASON = (
    "both spend their time in the same model; what is left is its arithmetic, at the machine's "
    "full rate"
)


def test_asking(race: Track, base: Path, tmp_path: Path) -> None:
    """The sample's questions over made-up passages; a search costs the same whatever it finds."""
    from sentence_transformers import SentenceTransformer

    make(tmp_path, base)
    asked = [
        json.loads(line)["query"] for line in QUESTIONS.read_text(encoding="utf-8").splitlines()
    ][:ASKED]
    ours = Retriever.load(tmp_path / "models/release", device="cpu")
    model = SentenceTransformer(str(base), device="cpu")
    texts = (tmp_path / "tutorial/texts.txt").read_text(encoding="utf-8").split("\n")
    index: Any = faiss.IndexFlatIP(ours.embedder.dimension)
    index.add(np.load(tmp_path / "tutorial/vectors.npy"))

    def retrieve(query: str) -> list[tuple[str, float]]:
        vector = model.encode([query])
        faiss.normalize_L2(vector)
        scores, rows = index.search(vector, K)
        return [(texts[row], float(score)) for row, score in zip(rows[0], scores[0], strict=True)]

    for query in asked:
        found = ours.search(query, K, "dense")
        assert alike([(one.text, one.score) for one in found], retrieve(query))
    tokens = int(ours.embedder.token_counts(asked, "query").mean())
    race(
        "asking",
        f"{len(asked)} questions of {tokens} tokens on average, one by one, {PASSAGES:,} passages, "
        "the model alone",
        lambda: [ours.search(query, K, "dense") for query in asked],
        {
            "the tutorials' retrieve()": Goal(
                lambda: [retrieve(query) for query in asked], 2, REASON
            )
        },
    )


def test_what_tokens_cost(race: Track, base: Path, tmp_path: Path) -> None:
    """Hybrid search by three rankers, against the same release searched by two."""
    make(tmp_path / "three", base)
    weights = {"method": "convex", "weights": {"bm25": 0.5, "dense": 0.5}}
    two_legs = {"system": "tuned+bm25", "fusion": weights, "calibration": None}
    make(tmp_path / "two", base, {**VERDICT, **two_legs})
    asked = [
        json.loads(line)["query"] for line in QUESTIONS.read_text(encoding="utf-8").splitlines()
    ][:ASKED]
    three, two = (
        Retriever.load(tmp_path / name / "models/release", device="cpu")
        for name in ("three", "two")
    )
    race(
        "asking by tokens too",
        f"{len(asked)} questions, one by one, {PASSAGES:,} passages, hybrid",
        lambda: [three.search(query, K) for query in asked],
        {
            "without tokens": Goal(
                lambda: [two.search(query, K) for query in asked], 0.67, "a third ranker's work"
            )
        },
    )
