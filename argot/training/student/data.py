"""What training reads: the mined rows as arrays, and the dev queries that choose a checkpoint."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from argot.core.parquet import read_table
from argot.errors import InputError
from argot.evaluation.metrics import Relevance
from argot.tables import chunks, pairs, questions, training
from argot.tables.chunks import Corpus

# A passage's rivals are taken from so many of each query's best candidates.
CLOSE = 16


@dataclass(frozen=True)
class Teacher:
    """The teacher's scores of some passages for each query; any other passage scores 0.

    They are sorted by `keys` = query * `width` + passage, `width` being the number of passages.
    """

    width: int
    keys: NDArray[np.int64]
    scores: NDArray[np.float32]
    masked: NDArray[np.bool_]

    def table(
        self, queries: NDArray[np.int64], passages: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Scores, and which passages must not be contrasted, both (queries, passages)."""
        asked = queries[:, None] * self.width + passages
        place = np.minimum(np.searchsorted(self.keys, asked), len(self.keys) - 1)
        known = self.keys[place] == asked
        return np.where(known, self.scores[place], np.float32(0)), known & self.masked[place]


@dataclass(frozen=True)
class Candidates:
    """What was mined, one entry a query and passage.

    `row` is the query's, `rank` counts its candidates from 0, `place` is the passage's row in the
    corpus.
    """

    row: NDArray[np.int64]
    rank: NDArray[np.int64]
    place: NDArray[np.int64]
    scores: NDArray[np.float32]
    masked: NDArray[np.bool_]

    def only(self, kept: NDArray[np.bool_]) -> Candidates:
        """Some of the entries."""
        return Candidates(
            self.row[kept], self.rank[kept], self.place[kept], self.scores[kept], self.masked[kept]
        )


@dataclass(frozen=True)
class TrainingData:
    """The training rows: each query, the row of its own passage, and the teacher's scores.

    `trusted` says whose own passage was named by a person or by who wrote the query. `rivals` holds
    for each passage those that the teacher confuses with it, worst first.
    """

    queries: list[str]
    own: NDArray[np.int64]
    trusted: NDArray[np.bool_]
    teacher: Teacher
    rivals: list[NDArray[np.int64]]


@dataclass(frozen=True)
class Dev:
    """The queries that choose, the passages they are ranked over, and which of these are relevant.

    `real` says whether people asked them.
    """

    queries: list[str]
    passages: list[str]
    ids: list[str]
    relevance: Relevance
    real: bool


def read_training_data(corpus: Corpus) -> TrainingData:
    """The mined rows of data/training.parquet; InputError if there is none."""
    table = read_table(training.PATH, training.SCHEMA)
    if table.num_rows == 0:
        raise InputError(f"{training.PATH} has no row to train on; run `dvc repro`")
    queries, own = table["query"].to_pylist(), _places(table["positive"], corpus)
    trusted = table["trusted"].to_numpy()
    candidates = _candidates(table, corpus)
    answers = _other_answers(queries, own, trusted)
    return TrainingData(
        queries=queries,
        own=own,
        trusted=trusted,
        teacher=_teacher(own, table["score"].to_numpy(), answers, candidates, len(corpus.ids)),
        rivals=_rivals(own, candidates.only(candidates.rank < CLOSE), len(corpus.ids)),
    )


def read_dev(corpus: Corpus, queries: int, passages: int, min_questions: int) -> Dev:
    """Real dev questions where there are at least `min_questions`, else synthetic dev pairs.

    At most so many queries and passages are drawn, by their ids, which are hashes; every passage
    that answers one of the queries is among them.
    """
    real = read_table(questions.PATHS["dev"], questions.SCHEMA, ["question", "query", "chunks"])
    enough = real.num_rows >= min_questions
    rows = sorted(row for row in (_questions(real) if enough else _pairs()) if row[2])[:queries]
    needed = {chunk for _, _, relevant in rows for chunk in relevant}
    others = sorted(set(corpus.ids) - needed)
    ids = sorted(needed) + others[: max(0, passages - len(needed))]
    texts = [corpus.passages[place] for place in corpus.places_of(ids)]
    at = {chunk: place for place, chunk in enumerate(ids)}
    answers = [list(map(at.__getitem__, relevant)) for _, _, relevant in rows]
    return Dev([query for _, query, _ in rows], texts, ids, Relevance.of(answers), enough)


def _questions(table: pa.Table) -> list[tuple[str, str, list[str]]]:
    """Id, query and relevant chunks of each question."""
    columns = (table[name].to_pylist() for name in ("question", "query", "chunks"))
    return list(zip(*columns, strict=True))


def _pairs() -> list[tuple[str, str, list[str]]]:
    """Id, query and the one relevant chunk of each synthetic dev pair."""
    table = read_table(pairs.PATHS["dev"], pairs.SCHEMA, ["pair", "query", "chunk"])
    ids, queries, chunks = (table[name].to_pylist() for name in ("pair", "query", "chunk"))
    return [(id, query, [chunk]) for id, query, chunk in zip(ids, queries, chunks, strict=True)]


def _places(ids: pa.ChunkedArray | pa.Array, corpus: Corpus) -> NDArray[np.int64]:
    found = compute.index_in(ids, value_set=pa.array(corpus.ids, pa.string()))
    if found.null_count:
        raise InputError(
            f"{training.PATH} names a passage that {chunks.PATH} doesn't hold; run `dvc repro`"
        )
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _candidates(table: pa.Table, corpus: Corpus) -> Candidates:
    counts = compute.list_value_length(table["candidates"]).to_numpy()
    rank = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    place = _places(compute.list_flatten(table["candidates"]), corpus)
    scores, masked = (compute.list_flatten(table[name]).to_numpy() for name in ("scores", "masked"))
    return Candidates(np.repeat(np.arange(len(counts)), counts), rank, place, scores, masked)


def _other_answers(
    queries: list[str], own: NDArray[np.int64], trusted: NDArray[np.bool_]
) -> Candidates:
    """Passages that another trusted row names for the same query: they are no negatives."""
    answers: defaultdict[str, set[int]] = defaultdict(set)
    rows = np.flatnonzero(trusted).tolist()
    for row in rows:
        answers[queries[row]].add(int(own[row]))
    found = [(row, place) for row in rows for place in sorted(answers[queries[row]] - {own[row]})]
    of, place = np.array(found, dtype=np.int64).reshape(-1, 2).T
    none = np.zeros(len(of), dtype=np.float32)
    return Candidates(of, np.zeros_like(of), place, none, np.ones(len(of), dtype=bool))


def _teacher(
    own: NDArray[np.int64],
    score: NDArray[np.float32],
    answers: Candidates,
    candidates: Candidates,
    width: int,
) -> Teacher:
    # Of several entries of a query and passage the first is found: that of `answers` is masked.
    keys = np.concatenate(
        [
            np.arange(len(own)) * width + own,
            *(found.row * width + found.place for found in (answers, candidates)),
        ]
    )
    order = np.argsort(keys, kind="stable")
    scores = np.concatenate([score, answers.scores, candidates.scores])[order]
    open_ = np.zeros(len(own), dtype=bool)
    masked = np.concatenate([open_, answers.masked, candidates.masked])[order]
    return Teacher(width, keys[order], scores, masked)


def _rivals(own: NDArray[np.int64], candidates: Candidates, width: int) -> list[NDArray[np.int64]]:
    pairs, where = np.unique(own[candidates.row] * width + candidates.place, return_inverse=True)
    weight = np.bincount(where, weights=candidates.scores)
    order = np.lexsort((pairs, -weight, pairs // width))
    bounds = np.searchsorted(pairs // width, np.arange(1, width))
    return np.split(pairs[order] % width, bounds)
