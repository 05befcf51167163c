"""A release behind a Hugging Face inference endpoint.

The endpoint's repository holds the folder `release/` and two files:

    handler.py          from argot.serving.adapters.endpoint import EndpointHandler
    requirements.txt    argot-retrieval[cpu]

Requests:

    {"inputs": "who may release a K4 hold?", "parameters": {"k": 5, "filter": {"year": 2026}}}
    {"inputs": ["text", ...], "parameters": {"task": "embed", "input_type": "passage"}}
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from argot.errors import InputError
from argot.search.retriever import Retriever

MOST_TEXTS = 256
PARAMETERS = {"search": {"task", "k", "mode", "filter"}, "embed": {"task", "input_type"}}


class EndpointHandler:
    """Made once by the endpoint, then called with the JSON of each request."""

    def __init__(self, path: str = "") -> None:
        self.retriever = Retriever.load(Path(path) / "release")
        self.retriever.search("warm up", 1)

    def __call__(self, data: dict[str, Any]) -> list[Any]:
        """A list of passages, or a vector, for each input; InputError names what is wrong."""
        texts = self._texts(data)
        parameters = data.get("parameters") or {}
        if not isinstance(parameters, dict):
            raise InputError(f"parameters: expected an object, got {parameters!r}")
        task = parameters.get("task", "search")
        if task not in PARAMETERS or parameters.keys() - PARAMETERS[task]:
            known = {name: sorted(keys) for name, keys in PARAMETERS.items()}
            raise InputError(f"parameters: known are {known}, got {sorted(parameters)}")
        options = {name: value for name, value in parameters.items() if name != "task"}
        return self._embed(texts, **options) if task == "embed" else self._search(texts, **options)

    def _texts(self, data: dict[str, Any]) -> list[str]:
        inputs = data.get("inputs")
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not isinstance(texts, list):
            raise InputError("inputs: expected a text or a list of texts")
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise InputError("inputs: expected texts that are not empty")
        if len(texts) > MOST_TEXTS:
            raise InputError(f"inputs: at most {MOST_TEXTS} texts, got {len(texts)}")
        return texts

    def _search(
        self, texts: list[str], k: int = 10, mode: Any = None, filter: Any = None
    ) -> list[list[dict[str, Any]]]:
        found = self.retriever.search_many(texts, k, mode, filter)
        return [[asdict(passage) for passage in passages] for passages in found]

    def _embed(self, texts: list[str], input_type: str = "query") -> list[list[float]]:
        embedder = self.retriever.embedder
        encode = embedder.encode_passages if input_type == "passage" else embedder.encode_queries
        return [vector.tolist() for vector in encode(texts)]
