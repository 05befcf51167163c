"""Compare the stages with what the machine can do: its matrix rate and its bandwidth.

    python -m benchmarks.limit [--texts 200]

The floor of a stage is the longer of two times: its arithmetic at the measured matrix rate, and the
bytes it must read at the measured bandwidth. For the three costliest stages: encoding, training,
exact search. Writes reports/limit.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from argot.core.files import write_json
from argot.encoding.embedder import Embedder
from argot.encoding.fast.onednn import Linear
from argot.ranking.hits import search_exact, tie_order
from benchmarks.base_model import fetch
from benchmarks.prose import Author, vectors
from tools.workspace import ROOT

REPEATS = 5
SIDE = 2048  # of the square matrices that measure the rate
STREAM = 1 << 27  # floats copied: 512 MiB, more than any cache
PASSAGES, QUERIES = 100_000, 1_000


def best(work: Callable[[], Any]) -> float:
    """Seconds of the fastest of some runs, after one that doesn't count."""
    work()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def matrix_rate() -> float:
    """Float32 operations a second in a matrix product, by the faster of torch's libraries."""
    left, linear = torch.randn(SIDE, SIDE), nn.Linear(SIDE, SIDE, bias=False)
    packed = Linear(linear.weight, None, torch.float32)
    with torch.inference_mode():
        return 2 * SIDE**3 / min(best(lambda: linear(left)), best(lambda: packed(left)))


def bandwidth() -> float:
    """Bytes a second, read and written, of a copy that no cache holds."""
    source, target = torch.ones(STREAM), torch.empty(STREAM)
    return 2 * 4 * STREAM / best(lambda: target.copy_(source))


def forward_operations(model: Any, tokens: np.ndarray) -> float:
    """Operations of a forward pass over texts of so many tokens.

    These are the products with weights, and the two products of attention.
    """
    shape = model[0].model.config
    layer = 4 * shape.hidden_size**2 + 2 * shape.hidden_size * shape.intermediate_size
    attention = 2 * shape.hidden_size * float((tokens.astype(np.float64) ** 2).sum())
    return 2 * shape.num_hidden_layers * (layer * float(tokens.sum()) + attention)


def bytes_of(model: Any) -> float:
    """Bytes of the weights that every batch reads: all but the word vectors."""
    return sum(
        4.0 * value.numel()
        for name, value in model.named_parameters()
        if "word_embeddings" not in name
    )


def encoding(base: Path, count: int) -> tuple[float, float, float]:
    """Seconds, operations and bytes of encoding passages."""
    from sentence_transformers import SentenceTransformer

    embedder, texts = Embedder.load(base, "cpu"), Author().passages(count, words=60)
    model = SentenceTransformer(str(base), device="cpu")
    tokens = np.minimum(embedder.token_counts(texts), embedder.max_tokens)
    seconds = best(lambda: embedder.encode_passages(texts))
    return (
        seconds,
        forward_operations(model, tokens),
        count * bytes_of(model),
    )


def training(base: Path, count: int) -> tuple[float, float, float]:
    """Seconds, operations and bytes of one training step, which costs three forward passes.

    It trains tokens too, all of one weight, as where a release is searched by them.
    """
    from sentence_transformers import SentenceTransformer

    from argot.training.student.step import WEIGHTS, Memory, Objective, RankingLoss
    from argot.training.student.unpadded import drop_padding

    model = SentenceTransformer(str(base), device="cpu").train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    drop_padding(model)
    author = Author()
    features = [
        model.preprocess(texts)
        for texts in ([author.text(6) for _ in range(count)], author.passages(count, 60))
    ]
    for part in features:
        mask = part["attention_mask"].float()
        part[WEIGHTS] = mask / mask.sum(dim=1, keepdim=True)
    loss = RankingLoss(model, Objective(0.05, 0.1, 0.1, 0.5), Memory(4096))
    labels = torch.zeros(4, count, count)
    labels[0] = labels[2] = torch.eye(count)

    def step() -> None:
        loss([dict(part) for part in features], labels).backward()
        model.zero_grad()

    tokens = np.concatenate([part["attention_mask"].sum(dim=1).numpy() for part in features])
    return best(step), 3 * forward_operations(model, tokens), 3 * 3 * bytes_of(model)


def searching() -> tuple[float, float, float]:
    """Seconds, operations and bytes of exact search."""
    passages, queries = vectors(PASSAGES), vectors(QUERIES, seed=7)
    ties = tie_order([f"{place:09}" for place in range(PASSAGES)])
    seconds = best(lambda: search_exact(queries, passages, 10, ties))
    return seconds, 2.0 * queries.size * PASSAGES, float(passages.nbytes)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(2)
    rate, speed = matrix_rate(), bandwidth()
    print(f"matrix rate {rate / 1e9:.0f} GFLOP/s, bandwidth {speed / 1e9:.1f} GB/s\n")
    print("| stage | seconds | floor by arithmetic | floor by bytes | ratio to the floor |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with TemporaryDirectory() as folder:
        base = fetch(Path(folder))
        work = {
            f"encode {given.texts} passages": encoding(base, given.texts),
            "train a step of 32 passages": training(base, 32),
            f"search {QUERIES:,} queries, {PASSAGES:,} passages": searching(),
        }
    kept: dict[str, Any] = {"flops": rate, "bytes_per_second": speed}
    for name, (seconds, operations, size) in work.items():
        floors = operations / rate, size / speed
        kept[name] = {
            "seconds": seconds,
            "arithmetic": floors[0],
            "bytes": floors[1],
            "ratio": seconds / max(floors),
        }
        print(
            f"| {name} | {seconds:.3f} | {floors[0]:.3f} | {floors[1]:.3f} "
            f"| {seconds / max(floors):.2f} |"
        )
    write_json(ROOT / "reports/limit.json", kept)


if __name__ == "__main__":
    main()
