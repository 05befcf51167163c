"""The recipe that tutorials publish for tuning an embedding model, written fairly.

    python -m benchmarks.seed_recipe --corpus FOLDER [--epochs 3]

FOLDER holds `raw/` and `queries/`. It is given what tutorials leave out: the documents' text in
every format and the questions' judged documents, both as Argot's own stages read them, in no time.
From there on it does as they do.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from argot.core.parquet import read_table
from argot.evaluation.metrics import Relevance, best_of_each, ndcg
from argot.tables import documents, questions

WORDS, OVERLAP, LEAST = 256, 32, 20
SECTION, LEAST_SECTION = 512, 50
HEADING = re.compile(
    r"^(?:#{1,3} +(?P<marked>.+)|(?P<capitals>[A-Z][A-Z0-9 ,&/-]+):)\s*$", re.MULTILINE
)
NEGATIVES, NEAREST = 3, 10
DEPTH = 100

Pair = tuple[str, str]


@dataclass(frozen=True)
class Corpus:
    """Chunks with their documents' numbers, and questions with the documents that answer them."""

    chunks: list[str]
    owner: np.ndarray
    pairs: list[Pair]
    queries: list[str]
    relevance: Relevance


def read(workspace: Path) -> Corpus:
    """Cut a workspace's documents and make pairs; `ingest` and `questions` must have run."""
    table = read_table(
        workspace / documents.PATH, documents.SCHEMA, ["document", "text"]
    ).to_pydict()
    cut = [list(windows(text)) for text in table["text"]]
    pairs = [
        pair
        for text, parts in zip(table["text"], cut, strict=True)
        for pair in make_pairs(text, parts)
    ]
    number = {name: at for at, name in enumerate(table["document"])}
    asked = read_table(
        workspace / questions.PATHS["test"], questions.SCHEMA, ["query", "documents"]
    ).to_pydict()
    relevance = Relevance.of([[number[name] for name in names] for names in asked["documents"]])
    owner = np.repeat(np.arange(len(cut)), [len(parts) for parts in cut])
    return Corpus(
        [part for parts in cut for part in parts], owner, pairs, asked["query"], relevance
    )


def windows(text: str) -> Iterator[str]:
    """Chunks of 256 words that overlap by 32; those of 20 words or fewer are skipped."""
    words = text.split()
    for start in range(0, len(words), WORDS - OVERLAP):
        if len(words[start : start + WORDS]) > LEAST:
            yield " ".join(words[start : start + WORDS])


def make_pairs(text: str, parts: list[str]) -> Iterator[Pair]:
    """Each chunk with the next, and each heading with the beginning of its section."""
    yield from pairwise(parts)
    found = list(HEADING.finditer(text))
    for match, end in zip(found, [*(match.start() for match in found[1:]), len(text)], strict=True):
        section = text[match.end() : end].strip()
        if len(section) > LEAST_SECTION:
            yield (match["marked"] or match["capitals"]).strip(), section[:SECTION]


def mine(model: Any, pairs: list[Pair]) -> Iterator[tuple[str, str, str]]:
    """Three hard negatives for each pair, query by query, as (anchor, positive, negative) rows."""
    passages = list(dict.fromkeys(positive for _, positive in pairs))
    vectors = model.encode(passages)
    for anchor, positive in pairs:
        query = model.encode([anchor])[0]
        similarity = vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
        best = [passages[at] for at in np.argsort(similarity)[::-1][:NEAREST]]
        for negative in [text for text in best if text != positive][:NEGATIVES]:
            yield anchor, positive, negative


def train(model: Any, rows: list[tuple[str, str, str]], epochs: int) -> None:
    """MultipleNegativesRankingLoss over one row a negative."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    columns = dict(
        zip(("anchor", "positive", "negative"), map(list, zip(*rows, strict=True)), strict=True)
    )
    with TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            num_train_epochs=epochs,
            per_device_train_batch_size=32,
            gradient_accumulation_steps=2,
            learning_rate=2e-5,
            warmup_steps=0.1,
            bf16=model.device.type == "cuda",
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        loss = MultipleNegativesRankingLoss(model)
        SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss
        ).train()


def evaluate(model: Any, corpus: Corpus) -> float:
    """nDCG@10 by sentence-transformers' evaluator, over chunks of the relevant documents."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    members: dict[int, set[str]] = {}
    for place, document in enumerate(corpus.owner.tolist()):
        members.setdefault(document, set()).add(str(place))
    answers = np.split(corpus.relevance.items, corpus.relevance.offsets[1:-1])
    relevant = {
        str(n): set().union(*(members.get(at, set()) for at in row.tolist()))
        for n, row in enumerate(answers)
    }
    evaluator = InformationRetrievalEvaluator(
        {name: corpus.queries[int(name)] for name, chunks in relevant.items() if chunks},
        {str(place): text for place, text in enumerate(corpus.chunks)},
        {name: chunks for name, chunks in relevant.items() if chunks},
        write_csv=False,
    )
    return float(evaluator(model)[evaluator.primary_metric])


def index(model: Any, corpus: Corpus) -> Any:
    """The corpus encoded once more, in an exact FAISS index."""
    import faiss

    vectors = model.encode(corpus.chunks, normalize_embeddings=True)
    built = faiss.IndexFlatIP(vectors.shape[1])
    built.add(vectors)
    return built


def document_ndcg(model: Any, built: Any, corpus: Corpus) -> float:
    """nDCG@10 of documents, each ranked by its best chunk; it compares across chunkings."""
    asked = model.encode(corpus.queries, normalize_embeddings=True)
    _, found = built.search(asked, min(DEPTH, len(corpus.chunks)))
    ranked = best_of_each(found.astype(np.int32), corpus.owner)
    return float(ndcg(corpus.relevance.found(ranked), corpus.relevance.counts).mean())


def run(base: Path, workspace: Path, epochs: int) -> dict[str, float]:
    """The whole recipe; seconds of each step and what it reaches."""
    from sentence_transformers import SentenceTransformer

    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[..., Any], *given: Any) -> Any:
        started = time.perf_counter()
        result = work(*given)
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
        return result

    corpus = timed("chunk and pair", read, workspace)
    model = timed("load", SentenceTransformer, str(base))
    rows = timed("mine", lambda: list(mine(model, corpus.pairs)))
    timed("evaluate", evaluate, model, corpus)
    timed("train", train, model, rows, epochs)
    timed("evaluate", evaluate, model, corpus)
    built = timed("index", index, model, corpus)
    total = sum(seconds.values())
    reached = document_ndcg(model, built, corpus)  # not part of the recipe, so not of its time
    return {
        **seconds,
        "total": total,
        "rows": len(rows),
        "chunks": len(corpus.chunks),
        "document_ndcg@10": reached,
    }


def main() -> None:
    from tools.workspace import ROOT, lay_out, repro

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    corpus = given.corpus.resolve()
    workspace = lay_out(
        ROOT / "workspaces" / f"seed-{corpus.name}", corpus / "raw", corpus / "queries", {}
    )
    repro(workspace, "questions", "fetch")
    for name, value in run(workspace / "models/base", workspace, given.epochs).items():
        print(f"{name:20} {value:10.3f}")


if __name__ == "__main__":
    main()
