"""Races: the peer's way and ours on the same input, turn by turn; the ratio is what counts.

    make bench            all of them, into reports/benchmarks.json and docs/PERFORMANCE.md
    make bench SMALL=1    a twentieth of the input, once: to see that they run

Equal results are asserted before anything is timed. Two threads, so that figures of different machines compare.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")  # before numpy and torch read it
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.base_model import fetch

ROUNDS = 5
OURS = "argot"
LIBRARIES = (
    "numpy", "scipy", "torch", "transformers", "tokenizers", "sentence-transformers", "faiss-cpu", "bm25s", "rank-bm25",
    "pytrec-eval-terrier", "langchain-text-splitters", "chonkie", "dvc",
)  # fmt: skip

Work = Callable[[], Any]


@dataclass
class Goal:
    """A peer, how many times as fast as it we mean to be, and the reason that is told where we are not."""

    work: Work
    ratio: float
    reason: str = ""


@dataclass
class Track:
    """Runs races, and keeps their outcome where the table is made from."""

    benchmark: Any
    rounds: int
    clock: Callable[[], float] = time.perf_counter
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __call__(self, name: str, given: str, ours: Work, peers: dict[str, Goal]) -> None:
        """Race `ours` against `peers` on what `given` describes: A, B, A, B ..., after one lap that doesn't count."""
        self.seconds = {who: [] for who in (OURS, *peers)}

        def others() -> None:
            for who, goal in peers.items():
                self._time(who, goal.work)

        self.benchmark.pedantic(
            self._time, (OURS, ours), setup=others, rounds=self.rounds, warmup_rounds=1
        )
        laps = {who: seconds[1:] for who, seconds in self.seconds.items()}
        rows = [self._row(who, goal.ratio, goal.reason, laps) for who, goal in peers.items()]
        self._keep(name, given, rows)

    def once(
        self,
        name: str,
        given: str,
        ours: float,
        peer: str,
        theirs: float,
        ratio: float,
        reason: str = "",
    ) -> None:
        """Keep a race of minutes, run once by the caller: seconds of both, the goal, and why it isn't reached."""
        self.benchmark.pedantic(lambda: None)
        laps = {OURS: [ours], peer: [theirs]}
        self._keep(name, given, [self._row(peer, ratio, reason, laps)])

    def alone(self, name: str, given: str, work: Work, at_most: float) -> None:
        """Time what has no peer but a limit, in seconds."""
        self.seconds = {OURS: []}
        self.benchmark.pedantic(self._time, (OURS, work), rounds=self.rounds, warmup_rounds=1)
        self._limit(name, given, spread(np.array(self.seconds[OURS][1:])), at_most)

    def summed(self, name: str, given: str, seconds: float, at_most: float) -> None:
        """Keep a figure that was measured once, in parts."""
        self.benchmark.pedantic(lambda: None)
        self._limit(name, given, [seconds] * 3, at_most)

    def _limit(self, name: str, given: str, seconds: list[float], at_most: float) -> None:
        row = {"our_seconds": seconds, "at_most": at_most}
        self.benchmark.extra_info.update(race=name, given=given, rows=[row])
        print(f"\n{name}, {given}: {seconds[1]:.2f} s (at most {at_most:g})")

    def _keep(self, name: str, given: str, rows: list[dict[str, Any]]) -> None:
        self.benchmark.extra_info.update(race=name, given=given, rows=rows)
        for row in rows:
            print(
                f"\n{name}, {given}: {row['ratio']:.2f} times {row['peer']} (goal {row['goal']:g})"
            )

    def _time(self, who: str, work: Work) -> None:
        started = self.clock()
        work()
        self.seconds[who].append(self.clock() - started)

    def _row(
        self, peer: str, goal: float, reason: str, laps: dict[str, list[float]]
    ) -> dict[str, Any]:
        theirs, ours = np.array(laps[peer]), np.array(laps[OURS])
        ratio = float(np.median(theirs) / np.median(ours))
        return {
            "peer": peer,
            "ratio": ratio,
            "goal": goal,
            "reason": "" if ratio >= goal else reason,
            "peer_seconds": spread(theirs),
            "our_seconds": spread(ours),
        }


def spread(seconds: np.ndarray) -> list[float]:
    """Lower quartile, median and upper quartile."""
    return [float(value) for value in np.quantile(seconds, (0.25, 0.5, 0.75))]


def processor_seconds() -> float:
    """Of this process and of those it has waited for: what other programs do meanwhile counts less."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


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
