"""How time and memory grow with the corpus. Slow, run by hand.

    python -m benchmarks.growth [--passages 10000 100000 1000000] [--vectors 10000 100000 1000000]

Text: made-up documents and 400 questions through the pipeline's stages. Training, which looks at
some thousand passages of any corpus, is left out: the base model is the tuned one, too. It is a
BERT without layers, so that encoding costs little, of 384 dimensions as real ones. Vectors: mining
of 10,000 queries with BM25, and the index, alone. Each step runs in a process of its own, whose
peak memory is taken. Seconds are the processor's, for other programs may run. Writes
reports/growth.json and reports/growth.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from argot.core.files import write_json
from benchmarks.prose import LEXICON, Author, vectors
from tools.tiny.model import make_tiny_model
from tools.workspace import ROOT, lay_out

PASSAGES_A_DOCUMENT = 16
DIMENSION = 384
QUERIES = 10_000
QUESTIONS = 400
STAGES = (
    "ingest", "chunk", "lexical", "questions", "synthesize", "fetch",
    "embed base passages", "embed base pairs", "embed base questions", "mine", "copy",
    "embed tuned passages", "embed tuned pairs", "embed tuned questions",
    "evaluate", "index", "verify", "report",
)  # fmt: skip
ALONE = ("vectors: mine", "vectors: index")
GIB = 1 << 30


def make_corpus(folder: Path, passages: int) -> Path:
    """Documents that make about so many passages, in a workspace where nothing has run."""
    author, raw = Author(), folder / "source/raw"
    asked, texts = [], []
    for number in range(max(2, passages // PASSAGES_A_DOCUMENT)):
        name, text = f"{number % 100:02d}/{number:06d}.md", author.document()
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text(text, encoding="utf-8")
        if number < QUESTIONS:
            asked.append(question(name, text, author))
            texts.append(text)
    (folder / "source/queries").mkdir(parents=True)
    lines = "".join(json.dumps(line) + "\n" for line in asked)
    (folder / "source/queries/asked.jsonl").write_text(lines, encoding="utf-8")
    make_tiny_model(
        folder / "model", texts, dimension=DIMENSION, window=32, layers=0, most_words=LEXICON
    )
    model = {"fetch.model": f"path:{folder / 'model'}"}
    return lay_out(folder / "workspace", raw, folder / "source/queries", model)


def question(document: str, text: str, author: Author) -> dict[str, Any]:
    """Some words of one paragraph, judged to be answered there."""
    paragraphs = [part for part in text.split("\n\n") if part.endswith(".")]
    quote = paragraphs[int(author.random.integers(len(paragraphs)))]
    words = author.random.permutation(quote.lower().replace(".", "").split())[:8]
    return {"query": " ".join(words), "relevant": [{"document": document, "quote": quote}]}


def copy_model() -> str:
    """Take the base model as the tuned one, with figures of a training that had nothing to do."""
    from argot.core.stage import write_figures

    shutil.copytree("models/base", "models/tuned")
    write_figures("train", {})
    return "models/base → models/tuned"


def mine_vectors(count: int) -> str:
    """Mine 10,000 queries over `count` short passages with random vectors."""
    from argot.core.params import load
    from argot.ranking.bm25 import Bm25, LexicalSettings
    from stages import mine

    author, place = Author(), np.arange(count)
    ids = [f"{number:08d}" for number in range(count)]
    texts = [" ".join(author.some(20)) for _ in range(count)]
    bm25 = Bm25.build(ids, texts, load("lexical", LexicalSettings, ROOT / "params.yaml"), "en")
    corpus = mine.Passages(vectors(count, DIMENSION), bm25, place, place, place)
    queries = [" ".join(author.some(5)) for _ in range(QUERIES)]
    settings = load("mine", mine.MineSettings, ROOT / "params.yaml")
    mined = mine.mine(
        queries, vectors(QUERIES, DIMENSION, seed=7), place[:QUERIES] % count, corpus, settings
    )
    return f"{mined.candidates.shape}"


def index_vectors(count: int) -> str:
    """The index of the kind that the release would take, built and written."""
    from argot.search.index import VectorIndex, kind_for

    built = VectorIndex.build(vectors(count, DIMENSION), kind_for(count))
    built.save(Path("index.faiss"))
    return built.kind


def step(name: str, count: int) -> None:
    """Do one step here and print its seconds and this process' peak memory."""
    import importlib

    alone: dict[str, Callable[[], str]] = {
        "copy": copy_model,
        "vectors: mine": lambda: mine_vectors(count),
        "vectors: index": lambda: index_vectors(count),
    }
    stage, *given = name.split()
    work = alone.get(name) or partial(importlib.import_module(f"stages.{stage}").main, *given)
    started = time.perf_counter()
    line = work()
    seconds = time.perf_counter() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    measured = {
        "step": name,
        "count": count,
        "seconds": seconds,
        "processor": sum(one.ru_utime + one.ru_stime for one in used),
        "bytes": max(one.ru_maxrss for one in used) * 1024,
        "disk": sum(path.lstat().st_size for path in Path().rglob("*") if path.is_file()),
        "line": line,
    }
    print(json.dumps(measured))


def measured_alone(name: str, count: int, folder: Path) -> dict[str, Any]:
    """`step` in a process of its own, in `folder`."""
    command = [sys.executable, "-m", "benchmarks.growth", "--one", name, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{name} at {count:,}: {result.stderr.strip().splitlines()[-1]}")
    measured: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    print(
        f"{name:22} {count:>9,} {measured['seconds']:9.2f} s {measured['processor']:9.2f} s "
        f"{measured['bytes'] / GIB:6.2f} GiB {measured['disk'] / GIB:6.2f} GiB  {measured['line']}",
        flush=True,
    )
    return measured


def exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The slope of log time over log count between each step's two largest corpora: 1 is linear."""
    slopes = {}
    for name in dict.fromkeys(row["step"] for row in rows):
        known = sorted((row["count"], row["processor"]) for row in rows if row["step"] == name)[-2:]
        if len(known) == 2:
            (less, soon), (more, late) = known
            slopes[name] = float(np.log(late / soon) / np.log(more / less))
    return slopes


def plot(rows: list[dict[str, Any]]) -> str:
    """Seconds over passages, both logarithmic, one line a step, as SVG."""
    import vl_convert

    axis = {"type": "quantitative", "scale": {"type": "log"}}
    points = [
        {"step": row["step"], "count": row["count"], "seconds": row["processor"]} for row in rows
    ]
    chart = {
        "data": {"values": points},
        "mark": {"type": "line", "point": True},
        "width": 480,
        "height": 320,
        "encoding": {
            "x": {"field": "count", "title": "passages", **axis},
            "y": {"field": "seconds", "title": "seconds", **axis},
            "color": {"field": "step", "type": "nominal"},
        },
    }
    return str(vl_convert.vegalite_to_svg(chart))


def keep(rows: list[dict[str, Any]]) -> None:
    """Write what was measured so far, and draw it."""
    write_json(ROOT / "reports/growth.json", {"rows": rows, "exponents": exponents(rows)})
    (ROOT / "reports/growth.svg").write_text(plot(rows), encoding="utf-8")


def main() -> None:
    """Measure all steps at all sizes, print, fit and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--vectors", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        step(given.one[0], int(given.one[1]))
        return
    rows = []
    for count in given.passages:
        with TemporaryDirectory() as folder:
            workspace = make_corpus(Path(folder), count)
            for name in STAGES:
                rows.append(measured_alone(name, count, workspace))
                keep(rows)  # hours of work, should a later step fail
    for count in given.vectors:
        with TemporaryDirectory() as folder, chdir(folder):
            rows += [measured_alone(name, count, Path(folder)) for name in ALONE]
    keep(rows)
    slopes = exponents(rows)
    print(
        "\n".join(f"{name:16} grows with the power {slope:.2f}" for name, slope in slopes.items())
    )


if __name__ == "__main__":
    main()
