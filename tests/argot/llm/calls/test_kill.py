"""kill -9 at random moments: no paid reply is lost but those in flight, none is paid twice, the pairs are the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from argot.llm.calls.store import Store
from argot.tables import pairs
from tests.stages.test_synthesize import TOPICS, write_chunks, write_params, write_questions
from tools.tiny.provider import KEY, Provider, serving

REPOSITORY = Path(__file__).parents[4]
CONCURRENCY = 4
pytestmark = pytest.mark.slow


def project(folder: Path, url: str, provider: str, batch: bool) -> Path:
    folder.mkdir()
    os.chdir(folder)
    content = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    content["machine"]["llm"].update(
        base_url=f"{url}/v1" if provider == "openai" else url, concurrency=CONCURRENCY
    )
    content["machine"]["llm"].update(poll_seconds=0.05, batch_requests=30)
    content["spend"]["batch"] = batch
    model = "gpt-6-luna" if provider == "openai" else "claude-haiku-5-5"
    content["synthesize"]["llm"].update(provider=provider, model=model)
    write_params(content)
    write_questions([])
    write_chunks([f"{topic}{number}" for topic in TOPICS for number in "abcdef"])
    return folder


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
    }
    command = [sys.executable, "-m", "stages.synthesize"]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def finish(folder: Path) -> int:
    """Run the stage to its end."""
    with start(folder) as stage:
        return stage.wait()


def kill_after(folder: Path, hits: int, seconds: float, provider: Provider) -> bool:
    """Run the stage and kill it `seconds` after its call number `hits`; False if it ended before."""
    last = provider.hits + hits
    with start(folder) as stage:
        while provider.hits < last and stage.poll() is None:
            time.sleep(0.002)
        time.sleep(seconds)
        stage.send_signal(signal.SIGKILL)
        return stage.wait() == -signal.SIGKILL


def pair_bytes(folder: Path) -> list[bytes]:
    return [(folder / path).read_bytes() for path in pairs.PATHS.values()]


# Starting the stage is what lasts, so two of the four ways are killed twelve times, and two five times.
WAYS = [
    ("openai", False, 12),
    ("anthropic", False, 5),
    ("openai", True, 5),
    ("anthropic", True, 12),
]


@pytest.mark.parametrize(("provider", "batch", "times"), WAYS)
def test_killed_again_and_again_nothing_is_lost_or_paid_twice(
    tmp_path: Path, provider: str, batch: bool, times: int
) -> None:
    chance = random.Random(f"{provider}{batch}")
    with serving(seconds=0.03, batch_seconds=0.5, create_seconds=0.05) as server:
        calm = project(tmp_path / "calm", server.url, provider, batch)
        assert finish(calm) == 0
        expected = Counter(server.provider.paid)
        server.provider.paid.clear()
        server.provider.batches.clear()
        killed = project(tmp_path / "killed", server.url, provider, batch)
        mean = (
            2 if batch else 9
        )  # calls to the server, so that most kills come before the run is at its end
        moments = [
            (int(chance.expovariate(1 / mean)), chance.uniform(0.0, 0.1)) for _ in range(times)
        ]
        kills = sum(kill_after(killed, hits, seconds, server.provider) for hits, seconds in moments)
        assert finish(killed) == 0
        paid = Counter(server.provider.paid)
    assert kills >= 0.6 * times
    assert set(paid) == set(expected)
    assert sum((paid - expected).values()) <= (0 if batch else kills * CONCURRENCY)
    assert pair_bytes(killed) == pair_bytes(calm)
    os.chdir(killed)
    with Store() as store:
        assert len(list(store)) == len(expected)
        assert not list(store.open.glob("batches/*"))


def test_ctrl_c_finishes_the_calls_in_flight(tmp_path: Path) -> None:
    with serving(seconds=0.3) as server:
        folder = project(tmp_path / "p", server.url, "openai", False)
        stage = start(folder)
        while not server.provider.paid:
            time.sleep(0.05)
        stage.send_signal(signal.SIGINT)
        _, printed = stage.communicate(timeout=60)
        paid = sum(server.provider.paid.values())
    assert stage.returncode == 130
    assert "finishing the calls in flight" in printed and "Traceback" not in printed
    os.chdir(folder)
    with Store() as store:
        assert len(list(store)) == paid


def test_calls_that_a_second_ctrl_c_drops_count_at_their_most(tmp_path: Path) -> None:
    with serving(seconds=20.0) as server:
        folder = project(tmp_path / "p", server.url, "openai", False)
        stage = start(folder)
        while server.provider.busy < CONCURRENCY and stage.poll() is None:
            time.sleep(0.05)
        for _ in range(2):
            stage.send_signal(signal.SIGINT)
            time.sleep(0.3)
        _, printed = stage.communicate(timeout=60)
    assert stage.returncode == 130
    assert "Traceback" not in printed
    os.chdir(folder)
    with Store() as store:
        assert [reply.status for reply in store] == ["lost"] * CONCURRENCY
        assert all(reply.usd > 0 for reply in store)
