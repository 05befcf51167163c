"""Training rows for races: queries with a passage and three hard negatives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from argot.encoding.fast.precision import Known
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

    def first(self, count: int) -> Rows:
        """The first rows, at most so many."""
        columns = [column[:count] for column in self.columns().values()]
        return Rows(columns[0], [text for column in columns[1:] for text in column])

    def triplets(self) -> dict[str, list[str]]:
        """One row a negative, as tutorials do it: anchor and positive come three times."""
        columns = self.columns()
        return {
            "anchor": columns["anchor"] * NEGATIVES,
            "positive": columns["positive"] * NEGATIVES,
            "negative": [text for name in COLUMNS[2:] for text in columns[name]],
        }


def make_rows(count: int, words: int = 30) -> Rows:
    """Queries of some words of their passages, and passages of so many words on average."""
    author = Author()
    passages = author.passages(count * (1 + NEGATIVES), words)
    return Rows([asked(passage, author.random) for passage in passages[:count]], passages)


def asked(passage: str, random: np.random.Generator) -> str:
    """Six of a passage's words."""
    return " ".join(random.choice(passage.split(), 6))


def ours(
    model: Any, rows: Rows, tokens: int = 4096, precision: Known = "float32"
) -> tuple[Any, Any]:
    """Argot's collator and loss, with a one-hot teacher: the divergence from it is InfoNCE."""
    from argot.training.student.abbreviations import Aliases
    from argot.training.student.data import Teacher, TrainingData
    from argot.training.student.step import Collator, Memory, Objective, Phrasing, RankingLoss, Step

    count, width = len(rows.queries), len(rows.passages)
    place = np.arange(count)
    sure = Teacher(width, place * width + place, np.ones(count, np.float32), np.zeros(count, bool))
    # Trusted labels are contrasted, as the peers' loss does, and no teacher is asked.
    lesson = TrainingData(rows.queries, place, np.ones(count, bool), sure, [])
    corpus = SimpleNamespace(passages=rows.passages, languages=["en"] * width)
    batches = [place[at : at + BATCH] for at in range(0, count, BATCH)]
    steps = [
        Step(
            np.concatenate([batch + n * count for n in range(1 + NEGATIVES)]),
            batch,
            np.arange(len(batch)),
        )
        for batch in batches
    ]
    loss = RankingLoss(model, Objective(0.05, 0.1, 0.0, 1.0), Memory(tokens), precision=precision)
    return Collator(
        [steps],
        lesson,
        corpus,
        model.preprocess,
        {"query": "", "passage": ""},
        Phrasing(0, 0, Aliases({}), 0),
    ), loss


def trainer(model: Any, loss: Any, columns: dict[str, Any], folder: Path, **more: Any) -> Any:
    """sentence-transformers' trainer for one pass; `more` are its arguments, or a collator."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from transformers import PrinterCallback

    collator = more.pop("data_collator", None)
    given = {"use_cpu": True, "learning_rate": 1e-6, "num_train_epochs": 1, **more}
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        report_to=[],
        **given,
    )
    made = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=loss,
        data_collator=collator,
    )
    made.remove_callback(PrinterCallback)
    return made


def gradient(model: Any, loss: Any) -> np.ndarray:
    """The gradient of `loss` by all weights of the model, which are left without one."""
    loss.backward()
    parts = [
        parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None
    ]
    model.zero_grad()
    return np.concatenate([part.numpy() for part in parts])
