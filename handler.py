"""A release behind a hosted inference endpoint (Hugging Face): put this file beside a folder `release/`.

    {"inputs": "who may release a K4 hold?", "parameters": {"k": 5, "mode": "hybrid", "filter": {"year": 2026}}}
    {"inputs": ["text", ...], "parameters": {"task": "embed", "input_type": "passage"}}

`requirements.txt` beside it: argot-retrieval[cpu]
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from argot import Retriever
from argot.errors import InputError

MOST_TEXTS = 256
KNOWN = {"search": {"task", "k", "mode", "filter"}, "embed": {"task", "input_type"}}


class EndpointHandler:
    """What the endpoint calls: made once, then called with each request's JSON."""

    def __init__(self, path: str = "") -> None:
        self.retriever = Retriever.load(Path(path) / "release")
        self.retriever.search("warm up", 1)

    def __call__(self, data: dict[str, Any]) -> list[Any]:
        """One list of passages, or one vector, for each input."""
        inputs, parameters = data.get("inputs"), data.get("parameters") or {}
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not isinstance(texts, list) or not all(
            isinstance(text, str) and text.strip() for text in texts
        ):
            raise InputError("inputs: expected a text or a list of texts")
        if len(texts) > MOST_TEXTS:
            raise InputError(f"inputs: at most {MOST_TEXTS} texts, got {len(texts)}")
        task = parameters.get("task", "search")
        if task not in KNOWN or parameters.keys() - KNOWN[task]:
            raise InputError(f"parameters: known are {KNOWN}, got {sorted(parameters)}")
        return (
            self._embed(texts, **parameters)
            if task == "embed"
            else self._search(texts, **parameters)
        )

    def _search(
        self, texts: list[str], k: int = 10, mode: Any = None, filter: Any = None, task: str = ""
    ) -> list[list[dict[str, Any]]]:
        return [
            [asdict(passage) for passage in found]
            for found in self.retriever.search_many(texts, k, mode, filter)
        ]

    def _embed(
        self, texts: list[str], input_type: str = "query", task: str = ""
    ) -> list[list[float]]:
        embedder = self.retriever.embedder
        encode = embedder.encode_passages if input_type == "passage" else embedder.encode_queries
        return [vector.tolist() for vector in encode(texts)]
