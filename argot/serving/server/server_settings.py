"""The settings of a server, fixed when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class RequestLimits:
    """The most that one request may ask for, and how much is done at the same time."""

    query_characters: int = 2_000
    passages: int = 100  # the largest k
    inputs: int = 2_048  # texts in one call to /v1/embeddings, the same as OpenAI's limit
    input_characters: int = 40_000  # of one text in such a call
    body_bytes: int = 8 << 20
    body_seconds: float = 10.0  # for a body; a long one has a second more for each 64 KB
    held_bytes: int = 128 << 20  # of all bodies that are still coming in
    concurrency: int = 128  # requests at the same time; any more get 503 and Retry-After
    answers: int = 8  # streamed answers at the same time; they count as requests too
    patience: float = 3.0  # seconds that a search waits for the embedder before BM25 answers alone
    batch: int = 64  # texts encoded in one batch
    workers: int = 4  # threads that encode on a CPU; they share its cores
    feedback_bytes: int = 1 << 30  # of all feedback files: half for questions, half for thumbs


@dataclass(frozen=True)
class ServerSettings:
    """Where the release is, who may ask, and what is kept."""

    release: Path
    feedback: Path
    candidate: Path | None = None  # another release, whose passages are mixed into every search
    api_key: str = field(default="", repr=False)
    keys: Path | None = None  # who may ask, and their groups, for a release with access rights
    device: str = "auto"
    # Names in Host headers that are answered, besides addresses. Empty: with a key any, else none.
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()  # of other sites, whose pages may read and ask (CORS)
    root_path: str = ""  # the sub-path below which a proxy serves this server
    public: bool = False  # other machines can reach it, directly or through a proxy
    keep_questions: bool = True
    keep_days: int = 0  # questions, clicks and thumbs of earlier days are deleted; 0 keeps all
    workbench: bool = False  # routes to compare systems and label questions, for the owner alone
    questions: tuple[str, ...] = ()  # to be labelled before those that users asked
    provider: str = ""  # of the language model that answers; empty: the first one with a key
    model: str = ""
    base_url: str = ""
    look_seconds: float = 2.0  # between two looks for a new release
    limits: RequestLimits = RequestLimits()

    @property
    def asks_for_key(self) -> bool:
        """Must a request carry a key or a token?"""
        return bool(self.api_key or self.keys)
