"""Training on rows of a query, its passage and three hard negatives.

Both sides have the same rows, batch, loss and optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.track import Goal, Track
from benchmarks.train_rows import BATCH, gradient, make_rows, ours, trainer


@pytest.fixture
def model(base: Path) -> Any:
    """The base model without dropout, so that losses can be compared."""
    from sentence_transformers import SentenceTransformer
    from torch import nn

    model = SentenceTransformer(str(base), device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def test_training_rows(
    race: Track, scale: Callable[[int], int], base: Path, model: Any, tmp_path: Path
) -> None:
    """64 queries with a passage and three hard negatives each, in batches of 32."""
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    from argot.training.student.step import InOrder
    from argot.training.student.unpadded import drop_padding

    student = deepcopy(model)
    drop_padding(student)
    rows = make_rows(max(4, scale(64)))
    cached = CachedMultipleNegativesRankingLoss(model, mini_batch_size=BATCH)
    plain = MultipleNegativesRankingLoss(model)
    collator, loss = ours(student, rows)

    few = make_rows(4)
    batch = ours(model, few)[0]([{"step": 0}])
    parts = [{key.removeprefix(f"{part}_"): value
              for key, value in batch.items() if key.startswith(f"{part}_")}
             for part in ("query", "passage")]  # fmt: skip
    features = [model.preprocess(texts) for texts in few.columns().values()]
    expected = gradient(model, plain(features, None))
    assert (
        np.abs(gradient(student, loss(parts, batch["label"])) - expected).max()
        < 1e-4 * np.abs(expected).max()
    )

    steps = {"step": list(range(len(collator.steps)))}
    batches = {"per_device_train_batch_size": BATCH, "batch_sampler": BatchSamplers.NO_DUPLICATES}
    trainers = {
        "ours": trainer(
            student,
            loss,
            steps,
            tmp_path,
            data_collator=collator,
            batch_sampler=InOrder,
            per_device_train_batch_size=1,
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
