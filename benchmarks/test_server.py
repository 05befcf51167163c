"""Throughput, latency and memory of the server, against the tutorials' loop behind FastAPI."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from argot.core.files import write_json
from argot.core.parquet import write_table
from argot.encoding.store.encoded import Encoded, write_encoded
from argot.encoding.store.tokens import pack
from argot.encoding.store.vectors import Vectors, key, write_vectors
from argot.tables import chunks, pairs, questions
from benchmarks.prose import Author
from benchmarks.test_tokens import PASSAGE, made_up
from benchmarks.track import Goal, Track
from stages import index, lexical
from tools.deps import ROOT
from tools.tiny.release import PAIR, VERDICT
from tools.tiny.server import running

PASSAGES = 10_000
REQUESTS = 300  # a lap
REASON = (
    "a question goes through the model alone, in bfloat16 with one other, so that its vector is "
    "the same to the last bit however many ask: they share the cores, hardly the work"
)
GOALS = {1: 1.0, 8: 2.0, 64: 3.0}


class Server:
    """A server in a process of its own, and what it is asked by many clients at once."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        port: int,
        request: Callable[[str], tuple[str, str, Any]],
    ) -> None:
        self.process, self.port, self.request = process, port, request
        self.latencies: list[float] = []

    def lap(self, queries: list[str], clients: int) -> None:
        """All queries, by so many clients with a connection each."""
        self.latencies = []
        with ThreadPoolExecutor(clients) as pool:
            for latencies in pool.map(self._ask, [queries[at::clients] for at in range(clients)]):
                self.latencies += latencies

    def answer(self, query: str) -> Any:
        """One search by a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with closing(connection):
            return self.ask(connection, query)

    def ask(self, connection: http.client.HTTPConnection, query: str) -> Any:
        """One search; anything but 200 is an error."""
        method, path, body = self.request(query)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        content = reply.read()
        assert reply.status == 200, content
        return json.loads(content)

    def memory(self) -> int:
        """The most it has taken, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    def percentiles(self) -> dict[str, float]:
        """Of the last lap's latencies, in milliseconds."""
        return {
            f"p{q}": round(float(np.percentile(self.latencies, q)) * 1000, 1) for q in (50, 95, 99)
        }

    def _ask(self, queries: list[str]) -> list[float]:
        connection, latencies = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120), []
        for query in queries:
            started = time.perf_counter()
            self.ask(connection, query)
            latencies.append(time.perf_counter() - started)
        connection.close()
        return latencies


@pytest.fixture(scope="module")
def servers(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Both, over the same passages, vectors and model."""
    folder = tmp_path_factory.mktemp("served")
    make(folder, base)
    release = folder / "models/release"
    ours = [
        "-c",
        "from argot.serving.cli import main; main()",
        "serve",
        "--release",
        str(release),
        "--no-keep-questions",
    ]
    ours += ["--feedback", str(folder / "feedback"), "--patience", "60", "--port"]
    theirs = ["-m", "benchmarks.tutorial_server", str(folder / "tutorial")]
    with running(ours) as argot, running(theirs) as tutorial:
        yield {"argot": Server(*argot, ask_argot), "tutorial": Server(*tutorial, ask_tutorial)}


def alike(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> bool:
    """Are these the same passages and scores, but for those that bfloat16 makes change places?

    A release is searched in bfloat16 where that is faster; scores move by thousandths.
    """
    texts, scores = zip(*(zip(*found, strict=True) for found in (ours, theirs)), strict=True)
    return len(set(texts[0]) ^ set(texts[1])) <= 2 and np.allclose(*scores, atol=0.002)


def ask_argot(query: str) -> tuple[str, str, Any]:
    return "POST", "/search", json.dumps({"query": query, "mode": "dense"})


def ask_tutorial(query: str) -> tuple[str, str, Any]:
    return "GET", f"/search?{urlencode({'query': query})}", None


@pytest.mark.parametrize("clients", [1, 8, 64])
def test_serving(
    race: Track,
    servers: dict[str, Server],
    scale: Callable[[int], int],
    clients: int,
    benchmark: Any,
) -> None:
    author = Author(seed=clients)
    queries = [
        author.text(int(words))
        for words in author.random.integers(3, 15, size=max(clients, scale(REQUESTS)))
    ]
    ours, theirs = servers["argot"], servers["tutorial"]
    found = [ours.answer(queries[0])["passages"], theirs.answer(queries[0])]
    assert alike(*([(one["text"], one["score"]) for one in passages] for passages in found))
    race(
        f"serving {clients} clients",
        f"{len(queries)} searches of {PASSAGES:,} passages by the model alone",
        lambda: ours.lap(queries, clients),
        {"plain FastAPI": Goal(lambda: theirs.lap(queries, clients), GOALS[clients], REASON)},
    )
    latency = {
        who: {**server.percentiles(), "MiB": server.memory()} for who, server in servers.items()
    }
    benchmark.extra_info.update(latency=latency)
    print(f"\n{clients} clients: {latency}")


def make(folder: Path, base: Path, verdict: dict[str, Any] = VERDICT) -> None:
    """Write a release by the stage itself, and the tutorial's files, with random vectors."""
    author = Author()
    texts = list(dict.fromkeys(author.passages(PASSAGES)))
    vectors = author.random.standard_normal((len(texts), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_table(
        folder / chunks.PATH, [_row(at, text) for at, text in enumerate(texts)], chunks.SCHEMA
    )
    write_table(folder / questions.PATHS["test"], [], questions.SCHEMA)
    write_table(folder / pairs.PATHS["test"], [PAIR], pairs.SCHEMA)
    write_json(folder / index.VERDICT, verdict)
    for name in ("params.yaml", "numerics.lock"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(base, folder / "models/tuned")
    keys = [key(text) for text in texts]
    tokens = made_up(keys, PASSAGE, pack, author.random)
    write_encoded(
        folder / index.VECTORS / "tuned/passages", Encoded(Vectors(keys, vectors), tokens)
    )
    write_vectors(
        folder / index.VECTORS / "tuned/pairs", Vectors([key(str(PAIR["query"]))], vectors[:1])
    )
    with chdir(folder):
        lexical.main()
        index.main()
    tutorial = folder / "tutorial"
    shutil.copytree(base, tutorial / "model")
    np.save(tutorial / "vectors.npy", vectors)
    (tutorial / "texts.txt").write_text("\n".join(texts), encoding="utf-8")


def _row(at: int, text: str) -> dict[str, Any]:
    name = f"{at:06}.md"
    return {
        "chunk": name, "document": name, "group": name, "position": 0, "title": name, "heading": "",
        "text": text,
        "start": 0, "end": len(text), "language": "en", "metadata": "{}",
    }  # fmt: skip
