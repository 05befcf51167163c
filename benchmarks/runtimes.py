"""A release's model by ONNX Runtime and OpenVINO against Argot's own encoder, turn by turn.

    python -m benchmarks.runtimes [models/release]

Run it in the repository that made the release: its judged test queries are ranked. One thread, and
processor seconds, so that other programs matter little. An export whose float32 vectors differ from
the release's ends with an error before anything is timed, and so does one that ranks otherwise.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch reads it
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from argot import Retriever
from argot.evaluation.metrics import Relevance, ndcg
from argot.ranking.hits import search_exact, tie_order
from argot.search.release import EMBEDDER
from argot.serving.adapters.runtimes import FILES, Encode, Measured, export_embedder, judged, load
from argot.tables.chunks import passages_of

LAPS = 3
PASSAGES, QUESTIONS, BATCH = 50, 50, 8
HEAD = [
    "| | MB | cosine, mean (worst) | nDCG@10, questions by it | and passages by it "
    "| ms a question | passages/s | cold process, s |",
    "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
]
COLD_OURS = (
    "from pathlib import Path; from argot.encoding.embedder import Embedder; "
    "Embedder.load(Path('{folder}'), 'cpu').encode_queries(['pump seal'])"
)
# As docs/integrate.md has it: without Argot.
COLD_RUNTIME = (
    "import numpy as np; from tokenizers import Tokenizer; {load}; "
    "one = Tokenizer.from_file('{folder}/tokenizer.json').encode('pump seal'); "
    "run({{'input_ids': np.array([one.ids]), 'attention_mask': np.array([one.attention_mask])}})"
)
LOAD = {
    "onnx": "import onnxruntime as o; s = o.InferenceSession('{file}'); "
    "run = lambda x: s.run(None, x)",
    "openvino": "import openvino as o; run = o.Core().compile_model('{file}', 'CPU')",
}


def batched(encode: Encode, texts: Sequence[str]) -> np.ndarray:
    """Vectors of `texts`, those of about one length together."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    parts = [order[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    vectors = np.concatenate([encode([texts[row] for row in part]) for part in parts])
    return vectors[np.argsort(order)]


def median_seconds(works: dict[str, Callable[[], object]], laps: int) -> dict[str, float]:
    """Processor seconds of each, its children's too: laps in turn, after one that doesn't count."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(laps + 1):
        for name, work in works.items():
            start = used()
            work()
            seconds[name].append(used() - start)
    return {name: float(np.median(found[1:])) for name, found in seconds.items()}


def used() -> float:
    """Processor seconds of this process and of those that it started and that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def one_by_one(encode: Encode, texts: Sequence[str]) -> None:
    """Encode as a search does."""
    for text in texts:
        encode([text])


def cold(code: str) -> Callable[[], object]:
    """A process of its own that runs `code`."""
    return partial(subprocess.run, [sys.executable, "-W", "ignore", "-c", code], check=True)


def main(release: Path) -> None:
    """Print the table."""
    retriever = Retriever.load(release, device="cpu")
    own, source = retriever.embedder, (release / EMBEDDER).absolute()
    texts = passages_of(retriever.chunks)
    queries, relevant = judged(retriever)
    relevance, ties = Relevance.of(relevant), tie_order(retriever.chunks["chunk"].to_pylist())
    encoders: dict[str, tuple[Encode, Encode]] = {
        "Argot": (own.encode_queries, own.encode_passages)
    }
    starts = {"Argot": cold(COLD_OURS.format(folder=source))}
    measured: dict[str, Measured] = {}
    with TemporaryDirectory() as place:
        for runtime in FILES:
            folder = Path(place) / runtime
            for one in export_embedder(retriever, folder, runtime):  # type: ignore[arg-type]
                measured[one.file] = one
                # Prompts are the caller's task; a base with prompts gets them here.
                encode = load(folder, one.file, threads=1)
                query, passage = (
                    lambda some, encode=encode, prompt=own.prompts[role]: encode(
                        [prompt + text for text in some]
                    )
                    for role in ("query", "passage")
                )
                encoders[one.file] = query, partial(batched, passage)
                loading = LOAD[runtime].format(file=folder / one.file)
                starts[one.file] = cold(COLD_RUNTIME.format(load=loading, folder=folder))

        def ranked(name: str) -> float:
            """nDCG@10 by the vectors of one encoder, of passages and questions."""
            query, passage = encoders[name]
            asked = np.concatenate([query([text]) for text in queries])
            hits = search_exact(asked, passage(texts), 10, ties)
            return float(ndcg(relevance.found(hits.positions), relevance.counts).mean())

        rankings = {name: ranked(name) for name in encoders}
        for whole, _ in FILES.values():
            assert abs(rankings[whole] - rankings["Argot"]) < 5e-4
        some, asked = texts[:: max(1, len(texts) // PASSAGES)], queries[:QUESTIONS]
        passages = {name: partial(passage, some) for name, (_, passage) in encoders.items()}
        questions = {
            name: partial(one_by_one, query, asked) for name, (query, _) in encoders.items()
        }
        per_passages = median_seconds(passages, LAPS)
        per_questions = median_seconds(questions, LAPS)
        per_start = median_seconds(starts, LAPS)
    size = sum(path.stat().st_size for path in source.glob("*.safetensors"))
    print("\n".join(HEAD))
    for name in encoders:
        one = measured.get(name)
        like = f"{one.mean:.4f} ({one.worst:.4f})" if one else ""
        first = one.ndcg if one else measured[FILES["onnx"][0]].expected_ndcg
        print(
            f"| {name} | {(one.bytes if one else size) / 1e6:.0f} | {like} | {100 * first:.2f} "
            f"| {100 * rankings[name]:.2f} | {1000 * per_questions[name] / len(asked):.1f} "
            f"| {len(some) / per_passages[name]:.0f} | {per_start[name]:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("release", nargs="?", type=Path, default=Path("models/release"))
    main(parser.parse_args().release)
