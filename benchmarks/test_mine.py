"""Hard negatives for many queries, their vectors and the passages' given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from argot.core.params import load
from argot.ranking.bm25 import Bm25, LexicalSettings
from benchmarks.prose import Author, vectors
from benchmarks.track import Goal, Track
from stages import mine
from tools.workspace import ROOT

if TYPE_CHECKING:
    from datasets import Dataset

NEGATIVES = 3
DIMENSION = 384


class Given:
    """What `mine_hard_negatives` needs of a model; its vectors are given, and not encoded."""

    device = "cpu"

    def __init__(self, known: dict[str, np.ndarray]) -> None:
        self.known = known

    def encode_document(self, texts: list[str], **_: object) -> np.ndarray:
        return np.stack([self.known[text] for text in texts])

    encode_query = encode_document

    def get_embedding_dimension(self) -> int:
        return DIMENSION

    def similarity_pairwise(self, left: object, right: object) -> object:
        from sentence_transformers.util import pairwise_dot_score

        return pairwise_dot_score(left, right)


@dataclass(frozen=True)
class Task:
    """Queries near one passage each, all vectors given."""

    queries: list[str]
    passages: list[str]
    positives: np.ndarray
    asked: np.ndarray
    corpus: mine.Passages
    ids: list[str]

    @classmethod
    def of(cls, asked: int, count: int) -> Task:
        author, random = Author(), np.random.default_rng(7)
        passages = [f"{number} {author.text(12)}" for number in range(count)]
        queries = [f"{number} {author.text(4)}" for number in range(asked)]
        positives, known = random.integers(count, size=asked), vectors(count)
        own = known[positives] + 2 * vectors(asked, seed=8)
        own = (own / np.linalg.norm(own, axis=1, keepdims=True)).astype(np.float32)
        ids = [f"{place:06d}" for place in range(count)]
        bm25 = Bm25.build(ids, passages, LexicalSettings(language="auto", k1=1.2, b=0.75), "en")
        place = np.arange(count)
        return cls(
            queries, passages, positives, own, mine.Passages(known, bm25, place, place, place), ids
        )

    def ours(self) -> pa.Table:
        """The stage without reading and writing, with a teacher that is dense only."""
        return self.mined(dense_weight=1.0)

    def mined(self, **changes: float) -> pa.Table:
        """The stage without reading and writing, its settings but for `changes`."""
        settings = load("mine", mine.MineSettings, ROOT / "params.yaml").model_copy(update=changes)
        mined = mine.mine(self.queries, self.asked, self.positives, self.corpus, settings)
        kept = np.arange(len(self.queries))
        margin = mine.calibrated(mined, kept, settings.skip_rate)
        masked = mined.related | (mined.scores >= margin * mined.score[:, None])
        names = [f"{n}" for n in kept]
        columns = {
            "pair": names,
            "query": self.queries,
            "source": ["sentence"] * len(kept),
            "trusted": [False] * len(kept),
            "chunk": [self.ids[at] for at in self.positives],
        }
        return mine.rows(pa.table(columns), mined, masked, kept, self.ids)

    def negatives(self) -> list[list[int]]:
        return [
            [int(name) for name in row[:NEGATIVES]] for row in self.ours()["candidates"].to_pylist()
        ]

    def loop(self) -> list[list[int]]:
        """The way of tutorials: query by query, norms and all, everything sorted."""
        known, found = self.corpus.vectors, []
        for query, positive in zip(self.asked, self.positives, strict=True):
            similarity = known @ query / (np.linalg.norm(known, axis=1) * np.linalg.norm(query))
            best = np.argsort(similarity)[::-1][:10]
            found.append([int(at) for at in best if at != positive][:NEGATIVES])
        return found

    def theirs(self) -> Callable[[], Dataset]:
        """sentence-transformers' way; it searches by FAISS, as it advises."""
        from datasets import Dataset
        from sentence_transformers.util import mine_hard_negatives

        texts = [*self.passages, *self.queries]
        model = Given(dict(zip(texts, [*self.corpus.vectors, *self.asked], strict=True)))
        pairs = Dataset.from_dict(
            {"query": self.queries, "passage": [self.passages[at] for at in self.positives]}
        )
        return lambda: mine_hard_negatives(
            pairs, model, corpus=self.passages, num_negatives=NEGATIVES, output_format="n-tuple",
            use_faiss=True,
            verbose=False,
        )  # fmt: skip


def test_hard_negatives(race: Track, scale: Callable[[int], int]) -> None:
    """Three negatives a query, by the vectors alone."""
    task = Task.of(scale(10_000), scale(20_000))
    theirs = task.theirs()
    found = theirs()
    assert found["query"] == task.queries
    columns = (found[f"negative_{n}"] for n in range(1, NEGATIVES + 1))
    assert [[task.passages[at] for at in row] for row in task.negatives()] == [
        list(row) for row in zip(*columns, strict=True)
    ]
    given = f"{len(task.queries):,} queries, {len(task.passages):,} passages"
    race(
        "hard negatives, vectors given",
        given,
        task.ours,
        {"mine_hard_negatives": Goal(theirs, 1, REASON)},
    )


def test_all_of_mining(race: Track, scale: Callable[[int], int]) -> None:
    """All that the stage computes, BM25 too; the peer knows vectors only."""
    task = Task.of(scale(10_000), scale(100_000))
    given = f"{len(task.queries):,} queries, {len(task.passages):,} passages"
    race(
        "mining with BM25, vectors given",
        given,
        task.mined,
        {"mine_hard_negatives": Goal(task.theirs(), 1, MORE)},
    )


def test_hard_negatives_query_by_query(race: Track, scale: Callable[[int], int]) -> None:
    task = Task.of(scale(1_000), scale(20_000))
    assert task.loop() == task.negatives()
    given = f"{len(task.queries):,} queries, {len(task.passages):,} passages"
    race(
        "hard negatives, vectors given",
        given,
        task.ours,
        {"loop over queries": Goal(task.loop, 20, LOOP)},
    )


LOOP = (
    "ours also ranks the positive and writes the table, whose fixed costs weigh most on few queries"
)
MORE = "the peer neither knows BM25 nor says which negatives are safe"
REASON = (
    "both spend most of their time on the product of all queries with all passages; ours also "
    "ranks the positive, keeps 64 scored candidates where the peer keeps three, and compares each "
    "of them with the positive"
)
