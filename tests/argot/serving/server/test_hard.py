"""What hurts a server: fuzz by its own description, a kill under load, many at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from argot.feedback.journal import read_feedback
from argot.serving.server.app import create_app
from argot.serving.server.server_settings import ServerSettings
from tools.tiny.server import listening

pytestmark = pytest.mark.slow
EXAMPLES = 40  # a route


def test_fuzz_finds_no_fault_of_the_servers(settings: ServerSettings) -> None:
    with listening(create_app(replace(settings, provider="none"))) as address:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        statuses: Counter[int] = Counter()
        for result in schema.get_all_operations():
            operation = result.ok()

            @given(case=operation.as_strategy())
            @hypothesis_settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def fuzz(case: schemathesis.Case) -> None:
                reply = case.call()
                statuses[reply.status_code] += 1
                case.validate_response(reply, checks=[schemathesis.checks.not_a_server_error])
                assert reply.headers["x-content-type-options"] == ["nosniff"]

            fuzz()
        assert httpx.get(f"{address}/healthz").status_code == 200
    assert statuses.total() >= 3 * EXAMPLES
    assert statuses[200] > 0
    assert not [status for status in statuses if status >= 500]


def test_malformed_http_does_not_stop_it(settings: ServerSettings) -> None:
    rubbish = [
        b"\x00" * 500,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /search HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ]
    rubbish += [
        b"GET /" + b"a" * 100_000,
        b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
    ]
    with listening(create_app(settings)) as address:
        port = int(address.rpartition(":")[2])
        for piece in rubbish:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(piece)
        assert httpx.post(f"{address}/search", json={"query": "pump"}).status_code == 200


def test_kill_under_load_loses_no_acknowledged_feedback(release: Path, tmp_path: Path) -> None:
    kept = tmp_path / "feedback"
    acknowledged: list[str] = []
    for round in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = serve(release, kept, port)
        end = threading.Event()
        with ThreadPoolExecutor(8) as pool:
            askers = [
                pool.submit(send, port, f"{round}-{asker}", acknowledged, end) for asker in range(8)
            ]
            before = len(acknowledged)
            until = time.monotonic() + 60
            while len(acknowledged) < before + 100 and time.monotonic() < until:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            end.set()
            for asker in askers:
                asker.result()
        process.wait()
    assert len(acknowledged) >= 200
    records, broken = read_feedback(kept)
    assert set(acknowledged) <= {record.query for record in records}
    assert broken <= 2  # a line torn by each kill, and nothing else


def serve(release: Path, kept: Path, port: int) -> subprocess.Popen[bytes]:
    command = [
        Path(sys.executable).parent / "argot",
        "serve",
        "--port",
        str(port),
        "--feedback",
        kept,
    ]
    environment = {**os.environ, "ARGOT_RELEASE": str(release), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while True:
        assert process.poll() is None
        assert time.monotonic() < until
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return process
        except httpx.TransportError:
            time.sleep(0.2)


def send(port: int, asker: str, acknowledged: list[str], end: threading.Event) -> None:
    number = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        while not end.is_set():
            query, number = f"{asker}-{number}", number + 1
            given = {"query": query, "passage": "pumps/noise.md#0", "verdict": "up"}
            try:
                if (
                    client.post("/feedback", content=json.dumps(given), headers=JSON).status_code
                    == 200
                ):
                    acknowledged.append(query)
            except httpx.TransportError:
                return


JSON = {"Content-Type": "application/json"}


def test_many_at_once_all_get_their_own_answer(settings: ServerSettings) -> None:
    wanted = {"error E-17": "pumps/noise.md", "seal kits": "pumps/seals.md", "overtime": "pay.md"}
    with (
        listening(create_app(settings)) as address,
        httpx.Client(timeout=60) as client,
        ThreadPoolExecutor(32) as pool,
    ):

        def ask(number: int) -> tuple[int, bool]:
            query = list(wanted)[number % 3]
            asked = {"query": query, "mode": ("hybrid", "bm25")[number % 2], "k": 1 + number % 5}
            reply = client.post(f"{address}/search", json=asked)
            return reply.status_code, reply.json()["passages"][0]["document"] == wanted[query]

        assert set(pool.map(ask, range(600))) == {(200, True)}
