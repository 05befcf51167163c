"""The table of systems: what is compared, shown and released is one of its rows.

A system is a model, its rankers and their fusion. The rows are BM25, then each model by its vectors
alone, fused with BM25, and with its tokens as the third ranker. The models are base and tuned; both
with cut vectors, where the release cuts them; and managed models, where some are compared.
`evaluate` measures the rows and writes them down, with the fusions that it chose; whoever compares
systems elsewhere reads them there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError
from tqdm import tqdm

from argot.core.files import write_json
from argot.core.params import Settings
from argot.encoding.store.encoded import has_tokens, tokens_of
from argot.encoding.store.tokens import Tokens
from argot.encoding.store.vectors import Vectors, cut, read_vectors
from argot.errors import InputError
from argot.evaluation.choosing import DEFAULT, TUNED
from argot.evaluation.judged import JudgedCorpus, Queries
from argot.evaluation.metrics import Scores, score
from argot.evaluation.names import BM25, row, with_bm25, with_tokens
from argot.ranking.bm25 import Bm25
from argot.ranking.dense import Dense, Exact
from argot.ranking.fusion import DEPTH, Fusion, alone, fuse, scored_again
from argot.ranking.hits import MISSING, Hits, Ranker
from argot.ranking.tokens import ByToken, TokenIndex
from argot.tables import judgments

PATH = Path("data/systems.json")
VECTORS = Path("data/embeddings")
MODELS = ("base", "tuned")
RANKERS = (BM25, Dense.name, ByToken.name)
# The number of passages of each query that the table of judgments names.
TOP = 10

# What each ranker of a system found: by the system's row, then by the ranker's name.
Found = dict[str, dict[str, Hits]]


class Asked(Protocol):
    """A set of queries that can be searched for; a model's vectors of them are stored by `set`."""

    @property
    def set(self) -> str: ...

    @property
    def texts(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...


class System(Settings):
    """A row of the table."""

    name: str  # such as tuned+bm25
    model: str | None  # the model whose vectors are searched; None for BM25 alone
    dim: int  # the vectors are cut to so many dimensions; 0 keeps all
    fusion: Fusion

    def rank(self, found: Found, k: int, ties: NDArray[np.int64]) -> Hits:
        """The k passages that this system ranks best, of what its rankers found."""
        return fuse(found[self.name], self.fusion, k, ties)


@dataclass(frozen=True)
class VectorModel:
    """A model by its vectors of passages, pairs or questions, cut to `dim` where that isn't 0.

    `tokens` are those of its token vectors, which some models have not. `start` is the weight
    beside BM25 that dev queries start from.
    """

    model: str
    vectors: Callable[[str], Vectors]
    dim: int = 0
    start: float = DEFAULT
    tokens: Callable[[str], Tokens] | None = None

    @property
    def name(self) -> str:
        """Its row, alone."""
        return row(self.model, self.dim)

    def of(self, kind: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, (texts, dimensions)."""
        return cut(self.vectors(kind).of(texts), self.dim)


@dataclass(frozen=True)
class Judged:
    """A set of queries with what each system found, and each metric's value for each query."""

    queries: Queries
    hits: dict[str, Hits]  # by system
    scores: dict[str, Scores]

    @property
    def ndcg(self) -> dict[str, NDArray[np.float64]]:
        """nDCG@10 of each query, by system."""
        return {system: scores["ndcg@10"] for system, scores in self.scores.items()}


def stored(model: str, dim: int = 0) -> VectorModel:
    """A model by what `embed` stored."""
    start = TUNED if model == "tuned" else DEFAULT
    folder = VECTORS / model
    tokens = (lambda kind: tokens_of(folder / kind)) if has_tokens(folder / "passages") else None
    return VectorModel(model, lambda kind: read_vectors(folder / kind), dim, start, tokens)


def rows_of(model: VectorModel) -> list[str]:
    """The rows of a model's systems."""
    rows = [model.name, with_bm25(model.name)]
    return [*rows, with_tokens(model.name)] if model.tokens else rows


def table(models: Sequence[VectorModel], fusions: Mapping[str, Fusion]) -> list[System]:
    """All systems; `fusions` by their rows, of those that fuse."""
    systems = [System(name=BM25, model=None, dim=0, fusion=alone(BM25))]
    for model in models:
        for name in rows_of(model):
            fusion = fusions.get(name, alone(Dense.name))
            systems.append(System(name=name, model=model.model, dim=model.dim, fusion=fusion))
    return systems


def write_systems(systems: Sequence[System]) -> None:
    """Write data/systems.json."""
    write_json(PATH, [system.model_dump() for system in systems])


def read_systems(path: Path = PATH) -> list[System]:
    """The systems that `evaluate` compared; InputError where they are missing or damaged."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [System.model_validate(row) for row in rows]
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run `dvc repro`") from None
    except (OSError, ValueError, TypeError, RecursionError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} can't be read ({reason}); run `dvc repro evaluate`") from None


def search(
    sets: Sequence[Asked], corpus: JudgedCorpus, bm25: Bm25, models: Sequence[VectorModel]
) -> list[Found]:
    """What each system's rankers find for each set of queries, the best DEPTH a query.

    Where tokens take part, all rankers rank what BM25 and the vectors found.
    """
    words = [bm25.search(queries.texts, DEPTH) for queries in sets]
    found: list[Found] = [{BM25: {BM25: hits}} for hits in words]
    for model in tqdm(models, "search", disable=None):
        # The passages are read once, and only if a set needs them.
        passages = tokens = None
        for queries, lexical, rows in zip(sets, words, found, strict=True):
            # Where there is no question at all, there may be no store of vectors either.
            if not len(queries):
                # BM25's hits are empty, and serve as those of all.
                rows |= dict.fromkeys(rows_of(model), dict.fromkeys(RANKERS, lexical))
                continue
            passages = passages or Exact(model.of("passages", corpus.passages))
            dense = Dense(passages, partial(model.of, queries.set), corpus.ties)
            by_token = None
            if model.tokens:
                tokens = tokens or TokenIndex.build(model.tokens("passages").of(corpus.passages))
                by_token = ByToken(tokens, model.tokens(queries.set).of)
            rows |= search_model(
                model.name, bm25, dense, by_token, queries.texts, corpus.ties, lexical
            )
    return found


def search_model(
    row: str,
    bm25: Bm25,
    dense: Dense,
    by_token: ByToken | None,
    queries: Sequence[str],
    ties: NDArray[np.int64],
    lexical: Hits | None = None,
) -> Found:
    """What the rankers of a model's systems find for queries, by the systems' rows.

    `row` is the model's; `lexical` is what BM25 finds, where that is known.
    """
    lexical = lexical or bm25.search(queries, DEPTH)
    nearest = dense.search(queries, DEPTH)
    found = {
        row: {Dense.name: nearest},
        with_bm25(row): {BM25: lexical, Dense.name: nearest},
    }
    if by_token:
        rankers: dict[str, Ranker] = {BM25: bm25, Dense.name: dense, ByToken.name: by_token}
        found[with_tokens(row)] = scored_again(rankers, queries, [lexical, nearest], ties)
    return found


def judge(
    queries: Queries, found: Found, systems: Sequence[System], corpus: JudgedCorpus
) -> Judged:
    """Every system on one set of queries."""
    hits = {system.name: system.rank(found, DEPTH, corpus.ties) for system in systems}
    scores = {
        system: score(ranked.positions, queries.relevance, corpus.document)
        for system, ranked in hits.items()
    }
    return Judged(queries, hits, scores)


def as_table(judged: Judged, corpus: JudgedCorpus) -> pa.Table:
    """The table of judgments: every query under every system."""
    queries, count = judged.queries, len(judged.queries)
    ids = pa.array(corpus.ids, pa.string())
    fixed = {
        "set": [queries.set] * count,
        "split": [queries.split] * count,
        "id": queries.ids,
        "query": queries.texts,
        "kind": queries.kinds,
        "cluster": queries.groups,
        "seen": queries.seen,
        "relevant": _lists(queries.relevance.offsets, ids.take(pa.array(queries.relevance.items))),
    }
    tables = []
    for system, hits in judged.hits.items():
        top = hits.positions[:, :TOP]
        # A list column of Arrow is all lists one after another, and the offsets where each begins.
        ends = np.concatenate([[0], np.cumsum((top != MISSING).sum(axis=1))])
        found = _lists(ends, ids.take(pa.array(top[top != MISSING])))
        columns = {**fixed, "system": [system] * count, "top": found, **judged.scores[system]}
        arrays = [pa.array(columns[field.name], field.type) for field in judgments.SCHEMA]
        tables.append(pa.table(arrays, schema=judgments.SCHEMA))
    return pa.concat_tables(tables)


def _lists(offsets: NDArray[np.int64], values: pa.Array) -> pa.ListArray:
    """Lists of values: list i is `values[offsets[i] : offsets[i + 1]]`."""

    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
