"""Training: each row a query, its passage and three hard negatives; the same rows, batch, loss and optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.conftest import Goal, Track
from benchmarks.prose import Author

NEGATIVES = 3
BATCH = 32
COLUMNS = ("anchor", "positive", *(f"negative_{n}" for n in range(1, NEGATIVES + 1)))


@dataclass(frozen=True)
class Rows:
    """Texts of the columns above; row i's passages are i, i + n, i + 2n, i + 3n."""

    queries: list[str]
    passages: list[str]

    def columns(self) -> dict[str, list[str]]:
        count = len(self.queries)
        parts = [self.passages[at : at + count] for at in range(0, len(self.passages), count)]
        return dict(zip(COLUMNS, [self.queries, *parts], strict=True))

    def triplets(self) -> dict[str, list[str]]:
        """One row a negative, as tutorials do it: anchor and positive come three times."""
        columns = self.columns()
        return {
            "anchor": columns["anchor"] * NEGATIVES,
            "positive": columns["positive"] * NEGATIVES,
            "negative": [text for name in COLUMNS[2:] for text in columns[name]],
        }


def make_rows(count: int) -> Rows:
    author = Author()
    return Rows([author.text(6) for _ in range(count)], author.passages(count * (1 + NEGATIVES), words=30))


@pytest.fixture
def model(base: Path) -> Any:
    """The base model without dropout, so that equal losses can be told."""
    from sentence_transformers import SentenceTransformer
    from torch import nn

    model = SentenceTransformer(str(base), device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def ours(model: Any, rows: Rows) -> tuple[Any, Any]:
    """Argot's collator and loss, under a teacher who is sure: then the divergence from it is InfoNCE."""
    from argot.abbreviations import Aliases
    from argot.contrastive import Collator, Memory, Phrasing, RankingLoss, Step
    from argot.lesson import Corpus, Lesson, Teacher

    count, width = len(rows.queries), len(rows.passages)
    place = np.arange(count)
    sure = Teacher(width, place * width + place, np.ones(count, np.float32), np.zeros(count, bool))
    lesson = Lesson(rows.queries, place, np.zeros(count, bool), sure, [])
    corpus = Corpus([str(n) for n in range(width)], rows.passages, rows.passages, ["en"] * width, {})
    batches = [place[at : at + BATCH] for at in range(0, count, BATCH)]
    steps = [
        Step(np.concatenate([batch + n * count for n in range(1 + NEGATIVES)]), batch, np.arange(len(batch)))
        for batch in batches
    ]
    loss = RankingLoss(model, 0.05, teacher_temperature=1e-3, contrast=0.0, memory=Memory(4096))
    return Collator(
        [steps], lesson, corpus, model.preprocess, {"query": "", "passage": ""}, Phrasing(0, 0, Aliases({}), 0)
    ), loss


def trainer(model: Any, loss: Any, columns: dict[str, Any], folder: Path, **more: Any) -> Any:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    collator = more.pop("data_collator", None)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder), num_train_epochs=1, use_cpu=True, save_strategy="no", logging_strategy="no",
        disable_tqdm=True, report_to=[], learning_rate=1e-6, **more,
    )  # fmt: skip
    return SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss, data_collator=collator
    )


def gradient(model: Any, loss: Any) -> np.ndarray:
    loss.backward()
    parts = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    return np.concatenate([part.numpy() for part in parts])


def test_training_rows(race: Track, scale: Callable[[int], int], base: Path, model: Any, tmp_path: Path) -> None:
    """64 queries with a passage and three hard negatives each, in batches of 32."""
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    from argot.contrastive import InOrder

    rows = make_rows(max(4, scale(64)))
    cached = CachedMultipleNegativesRankingLoss(model, mini_batch_size=BATCH)
    plain = MultipleNegativesRankingLoss(model)
    collator, loss = ours(model, rows)

    few = make_rows(4)
    batch = ours(model, few)[0]([{"step": 0}])
    parts = [{key.removeprefix(f"{part}_"): value for key, value in batch.items() if key.startswith(f"{part}_")}
             for part in ("query", "passage")]  # fmt: skip
    features = [model.preprocess(texts) for texts in few.columns().values()]
    expected = gradient(model, plain(features, None))
    assert np.abs(gradient(model, loss(parts, batch["label"])) - expected).max() < 1e-4 * np.abs(expected).max()

    steps = {"step": list(range(len(collator.steps)))}
    batches = {"per_device_train_batch_size": BATCH, "batch_sampler": BatchSamplers.NO_DUPLICATES}
    trainers = {
        "ours": trainer(
            model, loss, steps, tmp_path, data_collator=collator, batch_sampler=InOrder, per_device_train_batch_size=1
        ),
        "triplets": trainer(model, plain, rows.triplets(), tmp_path, **batches),
        "cached": trainer(model, cached, rows.columns(), tmp_path, **batches),
    }
    race(
        "training, 1 positive + 3 negatives",
        f"{len(rows.queries)} rows, batch {BATCH}",
        trainers["ours"].train,
        {
            "one row per negative": Goal(trainers["triplets"].train, 1.5),
            "CachedMNRL, NO_DUPLICATES": Goal(trainers["cached"].train, 1.2),
        },
    )
