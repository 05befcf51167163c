"""Queries from a language model: this pipeline against the sequential loop of tutorials.

A local server answers after 300 ms, refuses 5 % of the calls with 429 and sends 1 % malformed
replies. Both sides ask the same prompts through the official client; each must end with a usable
reply for every passage, or lose rows.

    python -m pytest benchmarks/test_llm.py -s -m ''
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI, OpenAIError

from argot.llm.calls.completions import completions
from argot.llm.calls.request import Request
from tools.tiny.calls import machine, requests, spend
from tools.tiny.provider import KEY

ROOT = Path(__file__).resolve().parent.parent
PASSAGES = 400
CONCURRENCY = 32
PLAN = {"seconds": 0.3, "shares": {429: 0.05, "malformed": 0.01}, "retry_after": 1}


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """The server, in a process of its own: its work must not slow its guests."""
    command = [sys.executable, "-m", "tools.tiny.provider", json.dumps(PLAN)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def tutorial(asked: list[Request], url: str) -> list[str]:
    """One call after the other; what fails is printed and passed over, as in the notebooks."""
    client = OpenAI(api_key=KEY, base_url=f"{url}/v1")
    kept = []
    for request in asked:
        try:
            reply = client.chat.completions.create(**request.arguments)
            content = reply.choices[0].message.content or ""
            json.loads(content)
            kept.append(content)
        except (OpenAIError, ValueError):
            continue
    return kept


def test_race_with_the_sequential_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "OPENAI_API_KEY", KEY)
    asked = requests("openai", PASSAGES)
    with provider() as url:
        started = time.perf_counter()
        theirs = tutorial(asked, url)
        sequential = time.perf_counter() - started
    with provider() as url:
        started = time.perf_counter()
        how = machine(url, "openai", concurrency=CONCURRENCY, retries=6)
        replies = completions(asked, how, spend())
        ours = time.perf_counter() - started
        good = [tries[-1] for tries in replies.values() if tries[-1].status == "good"]
    print(
        f"\n{PASSAGES} passages: loop {sequential:.1f} s, {PASSAGES - len(theirs)} rows lost; "
        f"argot at concurrency {CONCURRENCY} {ours:.1f} s, {PASSAGES - len(good)} rows lost; "
        f"{sequential / ours:.1f} times faster"
    )
    assert len(good) == PASSAGES
    assert sequential / ours >= 10
