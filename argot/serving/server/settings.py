"""What a server is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how much is done at once."""

    query_characters: int = 2_000
    passages: int = 100  # the largest k
    inputs: int = 2_048  # texts of one call to /v1/embeddings, as at OpenAI
    input_characters: int = 40_000
    body_bytes: int = 8 << 20
    concurrency: int = 128  # requests at once; more are told to come back
    answers: int = 8  # ... of which stream an answer
    patience: float = 3.0  # seconds that a search waits for the embedder before BM25 answers alone
    batch: int = 64  # texts encoded at once
    workers: int = 4  # threads that encode, on a processor; they share its cores
    feedback_bytes: int = 1 << 30  # of all feedback files together


@dataclass(frozen=True)
class ServerSettings:
    """Where the release is, who may ask, and what is kept."""

    release: Path
    feedback: Path
    api_key: str = field(default="", repr=False)
    device: str = "auto"
    hosts: tuple[str, ...] = ()  # names the server answers to; empty: any
    keep_questions: bool = True
    workbench: bool = (
        False  # compare systems and label questions: for a repository, and for its owner alone
    )
    questions: tuple[str, ...] = ()  # to be labelled first
    provider: str = ""
    model: str = ""
    base_url: str = ""
    look_seconds: float = 2.0  # between looks for a new release
    limits: Limits = Limits()
