"""What waiting threads cost, where cores are shared with another program and where not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.track import Goal, Track
from tools.tiny.project import environment

DEFAULT = "OpenMP's own waiting"
TEXTS = 60
# This module, which all stages import, decides how threads wait; without it OpenMP does.
ENCODE = """
import sys
if sys.argv[1] == "ours":
    import argot.core.stage
from pathlib import Path
from argot.encoding.embedder import Embedder
from benchmarks.prose import Author
embedder, texts = Embedder.load(Path(sys.argv[2]), "cpu"), Author().passages(int(sys.argv[3]), 60)
for _ in sys.stdin:
    embedder.encode_passages(texts)
    print(flush=True)
"""
BUSY = "import torch\nvalues = torch.rand(600, 600)\nwhile True:\n    values @ values"
TWO_THREADS = {"OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(__file__).parents[1])}


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of two threads, with pipes to it, for as long as the block lasts."""
    given = {key: value for key, value in environment().items() if not key.startswith("OMP_")}
    with subprocess.Popen(
        [sys.executable, "-c", *arguments], env={**given, **TWO_THREADS},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as started:  # fmt: skip
        try:
            yield started
        finally:
            started.kill()


def encode(one: subprocess.Popen[bytes]) -> None:
    """Let a program encode its passages once."""
    assert one.stdin and one.stdout
    one.stdin.write(b"\n")
    one.stdin.flush()
    assert one.stdout.readline() == b"\n"


@pytest.fixture
def programs(base: Path, request: pytest.FixtureRequest) -> Iterator[list[subprocess.Popen[bytes]]]:
    """One that waits as every stage does, and one that waits as OpenMP does by itself."""
    count = str(4 if request.config.getoption("--small") else TEXTS)
    with (
        program(ENCODE, "ours", str(base), count) as ours,
        program(ENCODE, "default", str(base), count) as default,
    ):
        yield [ours, default]


def test_alone(race: Track, programs: list[subprocess.Popen[bytes]]) -> None:
    ours, default = programs
    peers = {DEFAULT: Goal(lambda: encode(default), 0.98)}
    race("encoding, alone", f"{TEXTS} passages, two threads", lambda: encode(ours), peers)


def test_beside_a_busy_program(race: Track, programs: list[subprocess.Popen[bytes]]) -> None:
    ours, default = programs
    with program(BUSY) as busy:

        def alone() -> None:
            os.kill(busy.pid, signal.SIGSTOP)
            encode(ours)
            os.kill(busy.pid, signal.SIGCONT)

        peers = {
            DEFAULT: Goal(lambda: encode(default), 1),
            "the same, alone": Goal(alone, round(1 / 1.8, 2)),
        }
        given = f"{TEXTS} passages beside two busy threads"
        race("encoding, cores shared", given, lambda: encode(ours), peers)
