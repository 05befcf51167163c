"""A BERT model by numpy, for a process that asks one question: to import torch would take longer.

Vectors are in float32, and those that torch gives but for the last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import erf

from argot.encoding.embedder import Batch, Embedder, Made, Role, Shape
from argot.encoding.fast.folder import Activation, Bert, ReadBert
from argot.encoding.fast.folder import read as read_folder
from argot.encoding.store.vectors import shorten

Floats = NDArray[np.float32]
HALF, ROOT = np.float32(0.5), np.float32(np.sqrt(0.5))
ACTIVATIONS: dict[Activation, Callable[[Floats], Floats]] = {
    "gelu": lambda values: values * HALF * (1 + erf(values * ROOT)),
    "relu": lambda values: np.maximum(values, 0),
}


def read_plain(folder: Path) -> Plain | None:
    """The model in `folder`; None for one that is left to torch or to the libraries."""
    with suppress(Exception):
        bert = read_folder(folder)
        plain = Plain(bert) if bert else None
        # The first text finds what is missing.
        if plain and plain(np.zeros(1, np.int32))[1].dtype == np.float32:
            return plain
    return None


class PlainEmbedder(Embedder):
    """An embedder that imports no torch."""

    def _each(self, work: Callable[[Shape], Made], batches: Iterator[Shape]) -> Iterator[Made]:
        return map(work, batches)

    def _encoded(self, tokens: Sequence[NDArray[np.int32]], role: Role, shape: Shape) -> Batch:
        rows, _ = shape
        ids = [tokens[row] for row in rows]
        vectors, states = zip(*map(self._model, ids), strict=True)
        whole = np.stack(vectors)
        return Batch(rows, shorten(whole, self.dimension), ids, states)


class Plain(ReadBert):
    """Takes the place of a SentenceTransformer, one text at a time."""

    device = SimpleNamespace(type="cpu")

    def __init__(self, bert: Bert) -> None:
        super().__init__(bert)
        self.weights = load_file(bert.weights)

    def __call__(self, ids: NDArray[np.int32]) -> tuple[Floats, Floats]:
        """A text's vector, (dimension,), of any length, and its tokens', (tokens, dimension)."""
        with np.errstate(all="ignore"):  # `Embedder` says which text has no finite vector
            return self._forward(ids)

    def _forward(self, ids: NDArray[np.int32]) -> tuple[Floats, Floats]:
        words, segments, places = (
            self.weights[f"embeddings.{kind}_embeddings.weight"]
            for kind in ("word", "token_type", "position")
        )
        given = words[ids] + segments[0] + places[: len(ids)]
        values = self._norm("embeddings.LayerNorm", given)
        for number in range(self.bert.layers):
            values = self._layer(f"encoder.layer.{number}", values)
        return values.mean(axis=0) if self.bert.pooling == "mean" else values[0], values

    def _layer(self, at: str, values: Floats) -> Floats:
        asking, asked, given = (
            self._linear(f"{at}.attention.self.{name}", values)
            .reshape(len(values), self.bert.heads, -1)
            .swapaxes(0, 1)
            for name in ("query", "key", "value")
        )
        scores = asking @ asked.swapaxes(1, 2) * np.float32(asking.shape[-1] ** -0.5)
        # The largest score becomes 0, so that no exponential overflows.
        chances = np.exp(scores - scores.max(axis=-1, keepdims=True))
        chances /= chances.sum(axis=-1, keepdims=True)
        seen = (chances @ given).swapaxes(0, 1).reshape(values.shape)
        mixed = self._linear(f"{at}.attention.output.dense", seen)
        values = self._norm(f"{at}.attention.output.LayerNorm", mixed + values)
        activation = ACTIVATIONS[self.bert.activation]
        inner = activation(self._linear(f"{at}.intermediate.dense", values))
        outer = self._linear(f"{at}.output.dense", inner)
        return self._norm(f"{at}.output.LayerNorm", outer + values)

    def _linear(self, name: str, values: Floats) -> Floats:
        made: Floats = values @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return made

    def _norm(self, name: str, values: Floats) -> Floats:
        centred = values - values.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(self.bert.eps))
        made: Floats = scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return made
