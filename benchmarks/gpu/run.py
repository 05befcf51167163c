"""Training, encoding and search on one GPU, raced against the code of tutorials.

    python -m benchmarks.gpu.run                         # needs a CUDA card
    python -m benchmarks.gpu.run --device cpu --small    # at a tiny size, to see that it runs

The model is as large as BERT-base and its weights are random: what they hold changes no speed.
Tokens count once, however often they are encoded. The share is that of the rate at which this card
multiplies large bfloat16 matrices. At the end it checks what `make refresh` relies on: passages
encoded again by themselves have the vectors that they had.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from argot.encoding.embedder import Embedder
from argot.encoding.fast.precision import resolved
from argot.evaluation.metrics import Relevance, ndcg
from argot.ranking.hits import search_exact, search_torch, tie_order
from benchmarks.limit import forward_operations
from benchmarks.prose import Author, vectors
from benchmarks.train_rows import BATCH, Rows, asked, make_rows, ours, trainer
from stages.train import speed, tokens_for
from tools.tiny.model import make_tiny_model

ROUNDS = 3
LEARNING_RATE, WARM_UP = 2e-5, 0.1  # the tutorial's
GOAL = 3.0
MOVED = 1e-5  # how far a vector's component may move in a refresh on a card; on a CPU it is 0
NONE = (
    "benchmarks.gpu: torch finds no CUDA card here; nothing was measured "
    "(--device cpu --small shows that it runs)"
)


@dataclass(frozen=True)
class Scale:
    """How large the model and the inputs are."""

    layers: int
    dimension: int
    rows: int  # training rows of a query and four passages
    words: int  # in a passage
    passages: int  # to encode
    vectors: int  # to search
    side: int  # of the matrices that measure the rate


FULL, SMALL = Scale(12, 768, 1024, 90, 4_000, 1_000_000, 8192), Scale(2, 64, 24, 12, 40, 300, 64)


@dataclass(frozen=True)
class Line:
    """A race: units a second, theirs and ours, and our share of the card's matrix rate."""

    what: str
    unit: str
    theirs: float
    ours: float
    share: float
    check: str

    def __str__(self) -> str:
        ratio = self.ours / self.theirs
        met = f"≥ {GOAL:g}, {'met' if ratio >= GOAL else 'missed'}"
        figures = f"{self.theirs:,.0f} | {self.ours:,.0f} | {ratio:.2f} | {met} | {self.share:.0%}"
        return f"| {self.what} | {self.unit} | {figures} | {self.check} |"


def main() -> None:
    """Measure and print, where there is something to measure on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="a tiny model and input")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print(NONE)
        return
    scale, device = SMALL if given.small else FULL, torch.device(given.device)
    rate = matrix_rate(device, scale.side)
    print(f"{machine(device)}; {rate / 1e12:,.3g} TFLOP/s in bfloat16\n")
    print("| race | a second | theirs | ours | ratio | goal | share of the matrix rate | checked |")
    print("| --- | --- | ---: | ---: | ---: | --- | ---: | --- |")
    with TemporaryDirectory() as folder:
        rows = make_rows(scale.rows, scale.words)
        base = make_model(Path(folder) / "base", rows.passages, scale)
        passages = Author(seed=7).passages(scale.passages, scale.words)
        for measured in (
            lambda: encoding(base, passages, device, rate),
            lambda: training(base, rows, device, rate),
            lambda: searching(scale, device, rate),
        ):
            print(measured(), flush=True)
        print(f"\n{refreshing(base, passages, device)}")


def machine(device: torch.device) -> str:
    """What it runs on, and by which libraries."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a processor, no card"
    return f"{name}, torch {torch.__version__}"


def make_model(folder: Path, texts: list[str], scale: Scale) -> Path:
    """A model of BERT's shape with random weights; FULL is BERT-base, of 110 million weights."""
    from transformers import BertConfig, BertModel

    width = scale.dimension
    make_tiny_model(folder, texts, dimension=width, window=512)
    torch.manual_seed(13)
    shape = {
        "num_hidden_layers": scale.layers,
        "num_attention_heads": width // 64,
        "intermediate_size": 4 * width,
    }
    BertModel(BertConfig(hidden_size=width, **shape)).save_pretrained(folder)
    return folder


def timed(work: Callable[[], Any]) -> float:
    """Seconds of the median round, after one that doesn't count."""
    work()
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def matrix_rate(device: torch.device, side: int) -> float:
    """Operations a second in a product of two large bfloat16 matrices."""
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    laps = 20

    def multiply() -> None:
        for _ in range(laps):
            product = left @ right
        product[0, 0].item()  # waits for the card

    return 2 * side**3 * laps / timed(multiply)


def encoding(base: Path, texts: list[str], device: torch.device, rate: float) -> Line:
    """Passages to vectors, by `SentenceTransformer.encode` as it is and by Argot in bfloat16."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(base), device=device.type)
    embedder = Embedder.load(base, device.type, precision="bfloat16")
    tokens = np.minimum(embedder.token_counts(texts), embedder.max_tokens)
    cosine = (
        (peer.encode(texts, normalize_embeddings=True) * embedder.encode_passages(texts))
        .sum(axis=1)
        .min()
    )
    assert cosine > 0.99, f"a vector has moved: cosine {cosine:.4f}"
    theirs = timed(lambda: peer.encode(texts, normalize_embeddings=True))
    seconds = timed(lambda: embedder.encode_passages(texts))
    share = forward_operations(peer, tokens) / seconds / rate
    count = float(tokens.sum())
    return Line(
        "encode", "tokens", count / theirs, count / seconds, share, f"cosine at least {cosine:.4f}"
    )


def training(base: Path, rows: Rows, device: torch.device, rate: float) -> Line:
    """Train on the same rows by the tutorial's code and by Argot's; compare speed and nDCG@10."""
    few, precision = rows.first(BATCH), resolved("auto", device.type)
    embedder = Embedder.load(base, device.type, precision=precision)
    counts = np.minimum(embedder.token_counts(rows.queries + rows.passages), embedder.max_tokens)
    before = learnt(embedder, rows)
    seconds, reached = {}, {}
    for name, make in (("theirs", by_tutorial), ("ours", by_argot)):
        with TemporaryDirectory() as folder:
            make(
                fresh(base, device), few, Path(folder)
            ).train()  # what is loaded and chosen the first time
            model = fresh(base, device)
            run = make(model, rows, Path(folder))
            started = time.perf_counter()
            run.train()
            seconds[name] = time.perf_counter() - started
            reached[name] = learnt(Embedder(base, model.eval(), precision=precision), rows)
    difference = reached["ours"] - reached["theirs"]
    noise = 2 * difference.std() / len(difference) ** 0.5
    worse = "worse" if difference.mean() < -noise else "not worse"
    reports = (
        f"{what} {scores.mean():.3f}" for what, scores in {"before": before, **reached}.items()
    )
    check = f"nDCG@10 {', '.join(reports)}: {worse}, noise {noise:.3f}"
    share = 3 * forward_operations(fresh(base, device), counts) / seconds["ours"] / rate
    count = float(counts.sum())
    return Line("train", "tokens", count / seconds["theirs"], count / seconds["ours"], share, check)


def fresh(base: Path, device: torch.device) -> Any:
    """The model without dropout, as Argot trains it, so that both do the same arithmetic."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(base), device=device.type)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def by_tutorial(model: Any, rows: Rows, folder: Path) -> Any:
    """The tutorial's training.

    It has a row for each negative, batches of 32 without duplicates, two of them accumulated, and
    bfloat16 on a card.
    """
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    on_card = model.device.type == "cuda"
    return trainer(
        model, MultipleNegativesRankingLoss(model), rows.triplets(), folder,
        per_device_train_batch_size=BATCH, gradient_accumulation_steps=2,
        learning_rate=LEARNING_RATE, warmup_steps=WARM_UP, bf16=on_card,
        use_cpu=not on_card, batch_sampler=BatchSamplers.NO_DUPLICATES,
    )  # fmt: skip


def by_argot(model: Any, rows: Rows, folder: Path) -> Any:
    """Steps as `stages.train` takes them, with its own arguments for this device."""
    from argot.training.student.step import InOrder

    precision = resolved("auto", model.device.type)
    collator, loss = ours(model, rows, tokens_for(model.device), precision)
    return trainer(
        model, loss, {"step": list(range(len(collator.steps)))}, folder,
        per_device_train_batch_size=1, learning_rate=LEARNING_RATE, warmup_steps=WARM_UP,
        full_determinism=True, batch_sampler=InOrder,
        data_collator=collator, **speed(model.device),
    )  # fmt: skip


def learnt(embedder: Embedder, rows: Rows) -> np.ndarray:
    """nDCG@10 of each new question, six words of a passage, over all passages."""
    random = np.random.default_rng(3)
    questions = [asked(passage, random) for passage in rows.passages[: len(rows.queries)]]
    ties = tie_order([f"{place:09}" for place in range(len(rows.passages))])
    hits = search_exact(
        embedder.encode_queries(questions), embedder.encode_passages(rows.passages), 10, ties
    )
    relevance = Relevance.of([[place] for place in range(len(questions))])
    return ndcg(relevance.found(hits.positions), relevance.counts)


def searching(scale: Scale, device: torch.device, rate: float) -> Line:
    """Exact search of a thousand queries, by numpy on the CPU and by torch on the card."""
    passages, queries = vectors(scale.vectors), vectors(min(1000, scale.vectors), seed=7)
    ties = np.arange(len(passages))
    found = search_torch(queries, passages, 10, ties, device.type)
    same = (found.positions == search_exact(queries, passages, 10, ties).positions).mean()
    assert same > 0.999, f"{same:.4%} of the hits are the same"
    theirs = timed(lambda: search_exact(queries, passages, 10, ties))
    seconds = timed(lambda: search_torch(queries, passages, 10, ties, device.type))
    share = 2.0 * queries.size * len(passages) / seconds / rate
    return Line(
        "search",
        "queries",
        len(queries) / theirs,
        len(queries) / seconds,
        share,
        f"{same:.2%} the same hits",
    )


def refreshing(base: Path, texts: list[str], device: torch.device) -> str:
    """Check what `make refresh` relies on: a passage's vector doesn't depend on the others."""
    embedder = Embedder.load(base, device.type, precision="auto")
    whole = embedder.encode_passages(texts)
    mixed = whole.copy()
    mixed[::3] = embedder.encode_passages(texts[::3])
    moved = float(np.abs(mixed - whole).max())
    assert moved <= MOVED, f"a component has moved by {moved:.1e}"
    queries = embedder.encode_queries([" ".join(text.split()[:8]) for text in texts[:1000]])
    first, second = (
        search_exact(queries, some, 10, np.arange(len(texts))).positions for some in (whole, mixed)
    )
    assert np.array_equal(first, second), (
        f"the top 10 of {(first != second).any(axis=1).sum()} queries differ"
    )
    return (
        f"refresh: a third of {len(texts):,} passages encoded again by themselves: "
        f"no component moved by more than {moved:.1e}, "
        f"and the top 10 of {len(queries):,} queries are the same"
    )


if __name__ == "__main__":
    main()
