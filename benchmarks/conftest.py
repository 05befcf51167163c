"""Races: the peer's way and ours on the same input, turn by turn; the ratio is what counts.

    make bench            all of them, into reports/benchmarks.json and docs/PERFORMANCE.md
    make bench SMALL=1    a twentieth of the input, once: to see that they run

Equal results are asserted before anything is timed. Two threads, so that figures of different
machines compare.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")  # before numpy and torch read it
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from benchmarks.base_model import fetch
from benchmarks.track import Track, processor_seconds

ROUNDS = 5
LIBRARIES = (
    "numpy", "scipy", "torch", "transformers", "tokenizers", "sentence-transformers", "faiss-cpu",
    "bm25s", "rank-bm25", "pytrec-eval-terrier", "langchain-text-splitters", "chonkie", "dvc",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--corpus", help="a folder with raw/ and queries/ for the race of whole pipelines"
    )
    parser.addoption(
        "--busy",
        action="store_true",
        help="count processor seconds: for a machine that is not idle",
    )
    parser.addoption("--small", action="store_true", help="a twentieth of the input, once")


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    """What decides the figures, and nothing that names the machine."""
    versions = {name: version(name) for name in LIBRARIES}
    machine_info.clear()
    machine_info.update(
        processor=_processor(),
        cores=os.cpu_count(),
        threads=os.environ["OMP_NUM_THREADS"],
        clock="processor seconds, other programs ran" if config.getoption("--busy") else "seconds",
        python=platform.python_version(),
        libraries=versions,
    )


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """What the table is made of, and no times or names of commits: the file is versioned."""
    kept = [
        {key: entry[key] for key in ("name", "extra_info")} for entry in output_json["benchmarks"]
    ]
    machine = output_json["machine_info"]
    output_json.clear()
    output_json.update(machine_info=machine, benchmarks=kept)


def _processor() -> str:
    cpu = Path("/proc/cpuinfo")
    names = (
        [line for line in cpu.read_text().splitlines() if "model name" in line]
        if cpu.exists()
        else []
    )
    return names[0].split(":")[1].strip() if names else platform.processor()


@pytest.fixture
def race(benchmark: Any, request: pytest.FixtureRequest) -> Track:
    clock = processor_seconds if request.config.getoption("--busy") else time.perf_counter
    return Track(benchmark, 1 if request.config.getoption("--small") else ROUNDS, clock)


@pytest.fixture(scope="session")
def scale(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """A number of things, or a twentieth of it with --small."""
    return (
        (lambda count: max(1, count // 20))
        if request.config.getoption("--small")
        else (lambda count: count)
    )


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default base model, all-MiniLM-L6-v2, as the stage fetches it."""
    return fetch(tmp_path_factory.mktemp("base"))
