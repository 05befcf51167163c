"""Mine for each pair the passages around it: the teacher's scores, and which are safe negatives.

    python -m stages.mine

The teacher needs no download: BM25 and the base model, fused, rank better than either. Queries made
by rule whose passage it can't find again teach noise, and are dropped (the round trip of
Promptagator, arXiv 2209.11755). Trusted labels stay, whatever the teacher thinks.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import sparse
from tqdm import tqdm

from argot.core.params import Settings, load
from argot.core.parquet import read_table, write_table
from argot.core.stage import run, stage_parser, write_figures
from argot.encoding.store.vectors import read_vectors
from argot.errors import InputError, ParamsError
from argot.llm.calls.completions import completions
from argot.llm.calls.settings import LlmSettings, MachineLlm, SpendSettings
from argot.llm.judging.prompting import shown_texts
from argot.ranking.bm25 import Bm25
from argot.ranking.exact import QUERIES, Near, on_grid, single_threaded
from argot.tables import pairs, training
from argot.tables.chunks import Corpus
from argot.training.teacher.ranking import Ranking, products, rank
from argot.training.teacher.relabel import UNGRADED, grade_candidates

VECTORS = Path("data/embeddings/base")
# A passage that a judge gives this grade is too near to the answer to be a negative.
PARTIAL = 5


class MineSettings(Settings):
    """Which pairs train, the teacher, and what it refuses."""

    share: float = Field(gt=0, le=1)
    dense_weight: float = Field(ge=0, le=1)
    candidates: int = Field(ge=1)
    round_trip: int = Field(ge=1)
    skip_rate: float = Field(ge=0, lt=1)
    duplicate: float = Field(gt=0, le=1)
    judge: int = Field(ge=0, le=10)
    judge_candidates: int = Field(ge=1)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        # The two weights are opposites: a guess at the new name would turn the teacher around.
        if isinstance(given, dict) and "bm25_weight" in given:
            raise ParamsError(
                "params.yaml: mine.bm25_weight: is now mine.dense_weight, the share of the base "
                "model instead of BM25's; write 1 minus the old value there"
            )
        return given


@dataclass(frozen=True)
class Passages:
    """All passages: vectors, BM25, and the document, its group and the place of each, by number."""

    vectors: NDArray[np.float32]
    bm25: Bm25
    document: NDArray[np.int64]
    group: NDArray[np.int64]
    position: NDArray[np.int64]


@dataclass(frozen=True)
class Mined(Ranking):
    """The ranking, and which candidates may be relevant too, (queries, candidates)."""

    related: NDArray[np.bool_]


def main() -> str:
    """Score, filter, mask and write the training rows."""
    settings = load("mine", MineSettings)
    corpus = Corpus()
    table = read_pairs(settings.share)
    if len(corpus.ids) < 2:
        raise InputError(
            f"{corpus.path} holds {len(corpus.ids)} passage, and training compares; add documents"
        )
    queries = table["query"].to_pylist()
    positives = np.array(corpus.places_of(table["chunk"].to_pylist()))

    vectors = on_grid(read_vectors(VECTORS / "pairs").of(queries))
    ranked = mine(queries, vectors, positives, read_passages(corpus), settings)
    mined = trusted_first(ranked, table["trusted"].to_numpy())
    kept = np.flatnonzero(mined.rank < settings.round_trip)
    if len(kept) == 0:
        raise InputError(
            f"mine: no pair finds its passage among {settings.round_trip}; raise mine.round_trip"
        )
    margin = calibrated(mined, kept, settings.skip_rate)
    masked = mined.related | (mined.scores >= margin * mined.score[:, None])
    scores, masked, judged = relabel(queries, positives, mined, masked, kept, corpus, settings)
    mined = replace(mined, scores=scores)

    write_table(training.PATH, rows(table, mined, masked, kept, corpus.ids), training.SCHEMA)
    counted = figures(table, mined, masked, kept, margin)
    counted |= {"teacher_first": float((ranked.rank == 0).mean()), "judge": judged}
    write_figures("mine", counted)
    return f"{table.num_rows:,} pairs → {len(kept):,} training rows; margin {margin:.3f}"


def read_pairs(share: float) -> pa.Table:
    """The training pairs, or the share of them that is asked for; InputError if there is none."""
    path = pairs.PATHS["train"]
    table = read_table(path, pairs.SCHEMA, ["pair", "query", "source", "trusted", "chunk"])
    table = table.filter(drawn(table["pair"].to_pylist(), share))
    if table.num_rows == 0:
        raise InputError(f"{path} holds no pair; add documents, or lower synthesize's shares")
    return table


def drawn(names: list[str], share: float) -> pa.Array:
    """Which pairs are drawn, by their names alone: those of a smaller share are in a larger one."""
    points = (int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32 for name in names)
    return pa.array([point < share for point in points], pa.bool_())


def read_passages(corpus: Corpus) -> Passages:
    """The corpus as the teacher sees it."""
    return Passages(
        vectors=on_grid(read_vectors(VECTORS / "passages").of(corpus.passages)),
        bm25=Bm25.stored(corpus.ids),
        document=corpus.numbered("document"),
        group=corpus.numbered("group"),
        position=corpus.table(["position"])["position"].to_numpy().astype(np.int64),
    )


def mine(
    queries: list[str],
    vectors: NDArray[np.float32],
    positives: NDArray[np.int64],
    passages: Passages,
    settings: MineSettings,
) -> Mined:
    """Rank all passages for each query, in blocks of queries, as many at once as there are cores.

    Memory grows with the block, not with the corpus.
    """
    terms, weights = term_counts(queries, passages.bm25), term_weights(passages.bm25)
    weight, count = settings.dense_weight, min(settings.candidates, len(passages.vectors) - 1)
    nearest = Near(passages.vectors, len(queries))

    def mined(start: int) -> Mined:
        block = slice(start, start + QUERIES)
        own = terms[block]
        lexical = (lambda part: own[part] @ weights) if weight < 1 else None
        found = rank(vectors[block], nearest, lexical, positives[block], weight, count)
        near = related(found.candidates, positives[block], passages, settings.duplicate)
        return Mined(**vars(found), related=near)

    starts = range(0, len(queries), QUERIES)
    with single_threaded(), ThreadPoolExecutor(os.cpu_count()) as pool:
        blocks = list(tqdm(pool.map(mined, starts), "mine", len(starts), disable=None))
    columns = zip(*(vars(block).values() for block in blocks), strict=True)
    return Mined(*map(np.concatenate, columns))


def trusted_first(mined: Mined, trusted: NDArray[np.bool_]) -> Mined:
    """Rank the passage of each `trusted` label first, whatever the teacher thinks.

    Where the teacher disagrees with a person, or with who wrote the query, the student can learn
    most.
    """
    best = mined.scores.max(axis=1, initial=0)
    score = np.where(trusted, np.maximum(mined.score, best), mined.score)
    return replace(mined, score=score, rank=np.where(trusted, 0, mined.rank))


def related(
    candidates: NDArray[np.int64],
    positives: NDArray[np.int64],
    passages: Passages,
    duplicate: float,
) -> NDArray[np.bool_]:
    """Which candidates, (queries, k), may answer what the positive answers.

    These are the positive's neighbours, its copies in other documents, and near-copies.
    """
    own = positives[:, None]
    same = passages.document[candidates] == passages.document[own]
    beside = same & (np.abs(passages.position[candidates] - passages.position[own]) <= 1)
    copied = ~same & (passages.group[candidates] == passages.group[own])
    row = np.repeat(np.arange(len(candidates)), candidates.shape[1])
    vectors = passages.vectors
    cosines = products(vectors[positives], vectors, row, candidates.ravel())
    return np.asarray(beside | copied | (cosines.reshape(candidates.shape) >= duplicate))


def calibrated(mined: Mined, kept: NDArray[np.int64], skip_rate: float) -> float:
    """The share of the positive's score above which `skip_rate` of the hardest ten are masked.

    A fixed margin masks 84 % on one corpus and nothing on the next (sentence-transformers #3279).
    """
    hardest = slice(0, 10)
    ratios = mined.scores[kept, hardest] / np.maximum(mined.score[kept, None], 1e-6)
    open_ratios = ratios[~mined.related[kept, hardest]]
    return float(np.quantile(open_ratios, 1 - skip_rate)) if open_ratios.size else 1.0


def relabel(
    queries: list[str],
    positives: NDArray[np.int64],
    mined: Mined,
    masked: NDArray[np.bool_],
    kept: NDArray[np.int64],
    corpus: Corpus,
    settings: MineSettings,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[str, Any]]:
    """Scores and masks after a model has graded the hardest negatives, and the figures of that.

    Those that answer become as good as the positive, those that are only PARTIAL are masked.
    Relabelling gains 0.7 to 1.4 nDCG points on BEIR (RLHN, arXiv 2505.16967).
    """
    if not settings.judge:
        return mined.scores, masked, {}
    hardest = [np.flatnonzero(~masked[row])[: settings.judge_candidates] for row in kept]
    asked = [
        (queries[row], corpus.ids[positives[row]], mined.candidates[row, columns].tolist())
        for row, columns in zip(kept, hardest, strict=True)
    ]
    complete = partial(
        completions, machine=load("machine.llm", MachineLlm), spend=load("spend", SpendSettings)
    )
    llm = load("synthesize.llm", LlmSettings)
    candidates = {row for _, _, rows in asked for row in rows}
    texts = shown_texts(corpus, [corpus.ids[row] for row in candidates], llm)
    passages = {row: (corpus.headings[row], texts.get(corpus.ids[row], "")) for row in candidates}
    graded, paid = grade_candidates(asked, passages, llm, complete)

    scores, masked = mined.scores.copy(), masked.copy()
    for row, columns, grades in zip(kept, hardest, graded, strict=True):
        for column, grade in zip(columns, grades, strict=True):
            masked[row, column] = grade >= PARTIAL
            if grade >= settings.judge:
                scores[row, column] = max(scores[row, column], mined.score[row])
    every = np.array(list(chain.from_iterable(graded)), dtype=np.int64)
    counts = {
        "graded": int((every != UNGRADED).sum()),
        "became_positives": int((every >= settings.judge).sum()),
        "partial": int(((every >= PARTIAL) & (every < settings.judge)).sum()),
    }
    return scores, masked, {**counts, **paid}


def rows(
    table: pa.Table,
    mined: Mined,
    masked: NDArray[np.bool_],
    kept: NDArray[np.int64],
    ids: list[str],
) -> pa.Table:
    """The training table: the kept pairs with what was mined for them."""
    names = pa.array(ids)
    count = mined.candidates.shape[1]
    offsets = pa.array(np.arange(len(kept) + 1, dtype=np.int32) * count)

    def lists(values: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(offsets, values)

    chosen = table.take(pa.array(kept))
    columns = [
        chosen["pair"],
        chosen["query"],
        chosen["source"],
        chosen["trusted"],
        chosen["chunk"],
        pa.array(mined.score[kept]),
        lists(names.take(pa.array(mined.candidates[kept].ravel()))),
        lists(pa.array(mined.scores[kept].ravel())),
        lists(pa.array(masked[kept].ravel())),
    ]
    return pa.table(columns, schema=training.SCHEMA)


def figures(
    table: pa.Table, mined: Mined, masked: NDArray[np.bool_], kept: NDArray[np.int64], margin: float
) -> dict[str, Any]:
    """Counts by source, the calibrated margin, and how much of the hardest ten is masked."""
    sources = table["source"].to_pylist()
    given, found = Counter(sources), Counter(sources[row] for row in kept)
    return {
        "pairs": table.num_rows,
        "rows": len(kept),
        "kept": dict(sorted(found.items())),
        "not_found_again": {
            source: count - found[source] for source, count in sorted(given.items())
        },
        "margin": margin,
        "skip_rate": float(masked[kept, :10].mean()) if masked.shape[1] else 0.0,
        "related": float(mined.related[kept, :10].mean()) if masked.shape[1] else 0.0,
    }


def term_counts(queries: list[str], bm25: Bm25) -> sparse.csr_matrix:
    """How often each query has each term that BM25 knows, (queries, terms)."""
    rows = [bm25.index.get_tokens_ids(bm25.words.of(query)) for query in queries]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    terms = (
        np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
        if rows
        else np.empty(0, np.int64)
    )
    shape = (len(queries), len(bm25.index.scores["indptr"]) - 1)
    counts = sparse.csr_matrix((np.ones(len(terms), np.float32), terms, offsets), shape=shape)
    counts.sum_duplicates()
    return counts


def term_weights(bm25: Bm25) -> sparse.csr_matrix:
    """What each term adds to each passage's score, (terms, passages).

    With it BM25 is one product of matrices.
    """
    stored = bm25.index.scores
    shape = (len(stored["indptr"]) - 1, stored["num_docs"])
    return sparse.csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=shape)


if __name__ == "__main__":
    stage_parser("mine", __doc__).parse_args()
    run("mine", main)
