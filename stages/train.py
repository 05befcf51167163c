"""Train the base model on the mined rows into models/tuned/.

The vectors learn the teacher's ranking, or labels that can be trusted; the tokens learn all labels
by contrast.

    python -m stages.train

The checkpoint and the weight of its merge with the base are chosen by nDCG@10 on dev queries, real
ones where there are enough. A run that was killed continues from its last checkpoint, in
cache/train/, to the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import warnings
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from argot.core.files import replacing_folder, sha256
from argot.core.params import Settings, SomeSettings, load
from argot.core.stage import stage_parser, write_figures
from argot.encoding.embedder import Embedder, fingerprint, load_model, read_prompts
from argot.encoding.fast.precision import Encoding, Known, resolved
from argot.encoding.store.encoded import TokenSettings
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import InputError, ModelError
from argot.evaluation.metrics import ndcg
from argot.ranking.hits import search_exact, tie_order
from argot.tables import chunks, pairs, questions, training
from argot.tables.chunks import Corpus
from argot.training.student.abbreviations import Aliases, abbreviations
from argot.training.student.data import Dev, TrainingData, read_dev, read_training_data
from argot.training.student.distributed import (
    OUT_OF_MEMORY,
    broadcast_from_first,
    choose_gpu,
    leave_group,
    rank,
    run_together,
    world_size,
)
from argot.training.student.weights import add_adapters, blend, copied, merge_adapters

if TYPE_CHECKING:
    import torch
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.evaluation import BaseEvaluator

    from argot.training.student.step import Collator, Memory, Step

BASE, OUT, CACHE = Path("models/base"), Path("models/tuned"), Path("cache/train")
ROOT = Path(__file__).parent.parent
CODE = [Path(__file__), *sorted((ROOT / "argot/training/student").glob("*.py"))]
# Padded tokens of a mini-batch: what a CPU's caches hold. Halved when memory runs out.
TOKENS = {"cpu": 4096, "mps": 16384}
# On a GPU its memory decides: twice what BERT-base keeps of a token in bfloat16.
BYTES_A_TOKEN = 1 << 20
# The last file written to a checkpoint: without it, a kill cut the checkpoint short.
STATE = "trainer_state.json"


class TrainSettings(Settings):
    """What decides the tuned model: the section `train`."""

    seed: int = Field(ge=0, lt=2**32)
    epochs: int = Field(ge=1)
    max_passages: int = Field(ge=1)
    passages: int = Field(ge=2)
    queries: int = Field(ge=1)
    hard_group: int = Field(ge=1)
    noisy_share: float = Field(ge=0, le=1)
    abbreviation_share: float = Field(ge=0, le=1)
    learning_rate: float = Field(gt=0)
    warm_up: float = Field(ge=0, lt=1)
    patience: int = Field(ge=1)
    lora: int = Field(ge=0)
    matryoshka: list[Annotated[int, Field(gt=0)]]
    dropout: float = Field(ge=0, lt=1)
    temperature: float = Field(gt=0)
    teacher_temperature: float = Field(gt=0)
    contrast: float = Field(ge=0)
    trusted_share: float = Field(ge=0, le=1)
    merge: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    dev_queries: int = Field(ge=1)
    dev_passages: int = Field(ge=2)
    min_dev_questions: int = Field(ge=1)


class TrainMachine(SomeSettings):
    """Device and processes, of the section `machine`."""

    device: Literal["auto", "cpu", "cuda", "mps"]
    processes: int = Field(ge=1)


def main() -> str:
    """Train, choose the checkpoint and the merge on dev, and save the model.

    Of several processes all train, and the first alone does the rest.
    """
    from argot.training.student.maxsim import TokenWeights
    from argot.training.student.step import Collator, Phrasing
    from argot.training.student.unpadded import drop_padding

    choose_gpu()
    settings, device = load("train", TrainSettings), load("machine", TrainMachine).device
    corpus = Corpus()
    data = read_training_data(corpus)
    dev = read_dev(corpus, settings.dev_queries, settings.dev_passages, settings.min_dev_questions)
    passes = planned(data, settings)
    model = base_model(device, settings)
    base = copied(model)
    if settings.lora:
        add_adapters(model, settings.lora)
    drop_padding(model)
    before = dev_ndcg(model, dev) if rank() == 0 else 0.0
    aliases = Aliases(abbreviations(corpus.passages))
    phrasing = Phrasing(settings.noisy_share, settings.abbreviation_share, aliases, settings.seed)
    weights = None
    if load("index", TokenSettings).wants(len(corpus.passages)):
        weights = TokenWeights(TokenEncoder(Embedder(BASE, model)), corpus.passages)
    prompts = read_prompts(BASE)
    collator = Collator(passes, data, corpus, model.preprocess, prompts, phrasing, weights)
    history = train(model, collator, dev, settings)
    if rank() > 0:
        return "trained"
    merge_adapters(model)
    tuned = copied(model)
    merged = {weight: dev_ndcg(blend(model, base, tuned, weight), dev) for weight in settings.merge}
    weight = max(sorted(merged), key=merged.__getitem__)
    blend(model, base, tuned, weight)
    with replacing_folder(OUT) as beside:
        model.save_pretrained(str(beside), create_model_card=False)
    figures = {
        "abbreviations": len(aliases.long_forms),
        "rows": len(data.queries),
        "trusted": int(data.trusted.sum()),
        "passages": len(np.unique(data.own)),
        "steps": sum(map(len, passes)),
        "dev_queries": len(dev.queries),
        "dev_real": dev.real,
        "dev_base": before,
        "curve": history,
        "chosen_pass": chosen_pass(history),
        "merge": weight,
        "merged": {str(weight): value for weight, value in merged.items()},
        "dev_tuned": merged[weight],
    }
    write_figures("train", figures)
    gain = f"dev nDCG@10 {before:.3f} → {merged[weight]:.3f}"
    return f"{len(data.queries):,} rows, {figures['steps']} steps; {gain}"


def planned(data: TrainingData, settings: TrainSettings) -> list[list[Step]]:
    """The steps of each pass over the passages, of as many passes as the settings allow."""
    from argot.training.student.step import Shape, plan

    shape = Shape(settings.passages, settings.queries, settings.hard_group)
    count = max(1, min(settings.epochs, settings.max_passages // len(np.unique(data.own))))
    generators = (np.random.default_rng([settings.seed, number]) for number in range(count))
    return [
        list(plan(data.own, data.trusted, data.rivals, shape, generator))
        for generator in generators
    ]


def base_model(device: str, settings: TrainSettings) -> SentenceTransformer:
    """The base model, ready to be trained; ModelError where it can't be loaded."""
    from torch import nn

    model = load_model(BASE, device)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = settings.dropout
    whole = model.get_embedding_dimension() or 0
    for size in settings.matryoshka:
        if not 0 < size < whole:
            raise InputError(
                f"train.matryoshka: sizes must lie below the base model's {whole} dimensions, "
                f"got {size}"
            )
    return model


def dev_ndcg(model: SentenceTransformer, dev: Dev) -> float:
    """nDCG@10 of the model over the dev passages; 0 where there is no dev query."""
    if not dev.queries:
        return 0.0
    kind = precision(model)
    embedder = Embedder(BASE, packed(model.eval(), kind), precision=kind, bulk=True)
    queries, passages = embedder.encode_queries(dev.queries), embedder.encode_passages(dev.passages)
    hits = search_exact(queries, passages, 10, tie_order(dev.ids))
    return float(ndcg(dev.relevance.found(hits.positions), dev.relevance.counts).mean())


def packed(model: SentenceTransformer, kind: Known) -> SentenceTransformer:
    """On a CPU a copy that encodes faster and gives the same bits: its weights are laid out once.

    Those of a model that is trained are laid out anew for every batch.
    """
    import torch

    from argot.encoding.fast.bert import simplify
    from argot.encoding.fast.onednn import pack

    if model.device.type != "cpu":
        return model
    copy = deepcopy(model)
    pack(copy, getattr(torch, kind))
    simplify(copy)
    return copy


def train(
    model: SentenceTransformer, collator: Collator, dev: Dev, settings: TrainSettings
) -> list[dict[str, float]]:
    """Train the model in place to its best checkpoint on dev; the loss and nDCG@10 of each pass.

    When memory runs out, training continues from the last checkpoint with half the mini-batch and
    activations computed twice: the steps and their loss stay the same.
    """
    import torch

    from argot.training.student.step import Memory

    folder = CACHE / run_key(settings, collator.weights is not None, precision(model))
    memory = Memory(tokens_for(model.device))
    start = copied(model)
    while True:
        trainer = make_trainer(model, collator, dev, settings, folder, memory)
        try:
            resumed = broadcast_from_first(lambda: last_checkpoint(folder))
            trainer.train(resume_from_checkpoint=resumed)
            break
        except (torch.OutOfMemoryError, MemoryError):
            if world_size() > 1:  # the others wait for this one's vectors, out of its reach
                sys.exit(OUT_OF_MEMORY)
            if memory.tokens <= (model.max_seq_length or 512):
                raise ModelError(
                    "train: out of memory with one passage at a time; take a smaller fetch.model"
                ) from None
            memory = Memory(memory.tokens // 2, recompute=True)
            model.load_state_dict(start)
            torch.cuda.empty_cache()
    if best := trainer.state.best_model_checkpoint:
        # The trainer did so, but keeps the last weights without an error where it could not.
        trainer._load_from_checkpoint(best)
    if rank() == 0:
        for other in CACHE.iterdir():
            if other.is_dir() and other != folder:
                shutil.rmtree(other)
    leave_group()
    return curve(trainer.state.log_history)


def tokens_for(device: torch.device) -> int:
    """Padded tokens of a mini-batch on this device."""
    import torch

    if device.type != "cuda":
        return TOKENS[device.type]
    return int(torch.cuda.get_device_properties(device).total_memory // BYTES_A_TOKEN)


def precision(model: SentenceTransformer) -> Known:
    """The format in which this model multiplies on its device: training does as encoding."""
    return resolved(load("embed", Encoding).precision, model.device.type)


def speed(device: torch.device) -> dict[str, Any]:
    """The trainer's arguments that make it fast on this device, beside its own defaults.

    For a GPU other processes tokenise the next steps' texts.
    """
    if device.type != "cuda":
        return {"use_cpu": device.type == "cpu"}
    return {"dataloader_num_workers": min(4, os.cpu_count() or 1)}


def make_trainer(
    model: SentenceTransformer,
    collator: Collator,
    dev: Dev,
    settings: TrainSettings,
    folder: Path,
    memory: Memory,
) -> SentenceTransformerTrainer:
    """sentence-transformers' trainer over the planned steps, in their order.

    A row of its data set is the number of a step, once for each process.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import EarlyStoppingCallback, PrinterCallback

    from argot.training.student.step import Objective, RankingLoss

    class Trainer(SentenceTransformerTrainer):
        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """Nobody reads the card of a checkpoint, so none is written."""

    steps = np.repeat(np.arange(len(collator.steps)), world_size())
    objective = Objective(
        settings.temperature,
        settings.teacher_temperature,
        settings.contrast,
        settings.trusted_share,
    )
    trainer = Trainer(
        model=model,
        args=training_arguments(model, collator.steps_a_pass, settings, folder),
        train_dataset=Dataset.from_dict({"step": steps}),
        loss=RankingLoss(model, objective, memory, settings.matryoshka, precision(model)),
        evaluator=evaluator(dev),
        data_collator=collator,  # type: ignore[arg-type]  # any callable will do
        callbacks=[EarlyStoppingCallback(settings.patience)],
    )
    trainer.remove_callback(PrinterCallback)  # each pass is in the figures
    return trainer


def training_arguments(
    model: SentenceTransformer, steps_a_pass: int, settings: TrainSettings, folder: Path
) -> SentenceTransformerTrainingArguments:
    """The trainer's arguments: after each pass it measures on dev and writes a checkpoint."""
    import torch
    from sentence_transformers import SentenceTransformerTrainingArguments

    from argot.training.student.step import InOrder

    # Determinism would also fill all memory before it is written: a twentieth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # torch names nothing yet that could be used in place of it.
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        seed=settings.seed,
        full_determinism=True,
        num_train_epochs=1,
        per_device_train_batch_size=1,
        batch_sampler=InOrder,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warm_up,
        weight_decay=0.01,
        **speed(model.device),
        ddp_backend="gloo" if world_size() > 1 and model.device.type == "cpu" else None,
        # Buffers never change, and processes run different numbers of mini-batches, so that a
        # broadcast in each forward pass would deadlock.
        ddp_broadcast_buffers=False,
        # Every pass divides evenly among the processes; this silences a warning of accelerate.
        dataloader_drop_last=world_size() > 1,
        eval_strategy="steps",
        eval_steps=steps_a_pass,
        save_strategy="steps",
        save_steps=steps_a_pass,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="ndcg@10",
        greater_is_better=True,
        logging_steps=steps_a_pass,
        restore_callback_states_from_checkpoint=True,
        disable_tqdm=not sys.stderr.isatty(),
        report_to=[],
    )
    # One GPU a process: with more torch would split the batch, which is one row.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def evaluator(dev: Dev) -> BaseEvaluator:
    """nDCG@10 on dev, in the shape that the trainer asks for."""
    from sentence_transformers.base.evaluation import BaseEvaluator

    class DevEvaluator(BaseEvaluator):
        def __call__(
            self, model: Any, output_path: str | None = None, epoch: int = -1, steps: int = -1
        ) -> dict[str, float]:
            return {"ndcg@10": dev_ndcg(model, dev)}

    return DevEvaluator()  # type: ignore[no-untyped-call]


def run_key(settings: TrainSettings, by_token: bool, precision: str) -> str:
    """The name of this run's checkpoints: a hash of all that decides them; the merge does not."""
    inputs = [*CODE, chunks.PATH, training.PATH, pairs.PATHS["dev"], questions.PATHS["dev"]]
    parts = [
        settings.model_dump_json(exclude={"merge"}),
        str(by_token),
        precision,
        fingerprint(BASE),
        *(sha256(path) for path in inputs),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that is whole; those that a kill cut short are removed."""
    steps: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*"):
        try:
            steps[int(json.loads((path / STATE).read_text(encoding="utf-8"))["global_step"])] = path
        # Not any OSError: a checkpoint that can't be read just now must stay.
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            shutil.rmtree(path, ignore_errors=True)
    return str(steps[max(steps)]) if steps else None


def chosen_pass(history: list[dict[str, float]]) -> int:
    """The number of the best pass on dev, from 1; 0 where nothing was trained."""
    scores = [entry["ndcg@10"] for entry in history]
    return 1 + int(np.argmax(scores)) if scores else 0


def curve(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """The loss and dev nDCG@10 of each pass, out of the trainer's log."""
    losses = [entry["loss"] for entry in log if "loss" in entry]
    scores = [entry["eval_ndcg@10"] for entry in log if "eval_ndcg@10" in entry]
    return [
        {"pass": number, "loss": loss, "ndcg@10": score}
        for number, (loss, score) in enumerate(zip(losses, scores, strict=False), start=1)
    ]


if __name__ == "__main__":
    stage_parser("train", __doc__).parse_args()
    run_together("train", main, lambda: load("machine", TrainMachine).processes)
