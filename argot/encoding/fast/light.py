"""A BERT model by torch, without sentence-transformers and transformers.

To import these two takes five seconds of a processor, to read weights and words without them a
tenth of one. The vectors are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from argot.encoding.fast.bert import Forward, Function, Layer
from argot.encoding.fast.folder import Activation, Bert, Json, Pooling, ReadBert
from argot.encoding.fast.folder import read as read_folder
from argot.encoding.fast.onednn import Linear, is_here

# A text's vector by its tokens' vectors, (texts, tokens, dimension), and their mask.
Pool = Callable[[Tensor, Tensor], Tensor]
ACTIVATIONS: dict[Activation, Function] = {"gelu": functional.gelu, "relu": functional.relu}
POOLING: dict[Pooling, Pool] = {
    "mean": lambda tokens, mask: (tokens * mask).sum(dim=1) / mask.sum(dim=1),
    "cls": lambda tokens, mask: tokens[:, 0],
}


class Weights:
    """The weights of BERT, in float32, and the functions that they make."""

    def __init__(self, path: Path, width: int, eps: float, precision: torch.dtype) -> None:
        self.tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
        self.width, self.eps, self.precision = width, eps, precision

    def linear(self, name: str) -> Function:
        """A linear layer, by oneDNN where this machine has it."""
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        if is_here(self.precision):
            return Linear(weight, bias, self.precision)
        return partial(functional.linear, weight=weight, bias=bias)

    def norm(self, name: str) -> Function:
        """A layer norm."""
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        shape = [self.width]
        return lambda values: functional.layer_norm(values, shape, weight, bias, self.eps)

    def embeddings(self) -> Function:
        """Vectors of ids before the layers: of the token, of the first segment, of the place."""
        kinds = ("word", "token_type", "position")
        words, segments, places = (
            self.tensors[f"embeddings.{kind}_embeddings.weight"] for kind in kinds
        )
        norm = self.norm("embeddings.LayerNorm")
        return lambda ids: norm(words[ids] + segments[0] + places[: ids.shape[1]])

    def layer(self, number: int, activation: Function) -> Layer:
        """One of the layers, as `Forward` takes it."""
        at = f"encoder.layer.{number}"
        own = [self.linear(f"{at}.attention.self.{name}") for name in ("query", "key", "value")]
        return (
            *own,
            self.linear(f"{at}.attention.output.dense"),
            self.norm(f"{at}.attention.output.LayerNorm"),
            self.linear(f"{at}.intermediate.dense"),
            activation,
            self.linear(f"{at}.output.dense"),
            self.norm(f"{at}.output.LayerNorm"),
        )


class Light(ReadBert):
    """Takes the place of a SentenceTransformer."""

    device = torch.device("cpu")

    def __init__(self, bert: Bert, precision: torch.dtype) -> None:
        super().__init__(bert)
        weights = Weights(bert.weights, bert.width, bert.eps, precision)
        activation = ACTIVATIONS[bert.activation]
        layers = [weights.layer(number, activation) for number in range(bert.layers)]
        self.forward = Forward(weights.embeddings(), layers, bert.heads)
        pool = POOLING[bert.pooling]
        self.pool = partial(_normalized, pool) if bert.normalized else pool

    def __call__(self, features: Json, **_: Any) -> Json:
        """Add vectors of tokens, (texts, tokens, dimension), and of texts, (texts, dimension)."""
        found = self.forward(features)
        tokens = found["token_embeddings"]
        vectors = self.pool(tokens, features["attention_mask"].unsqueeze(-1).to(tokens.dtype))
        return {**found, "sentence_embedding": vectors}


def read(folder: Path, precision: torch.dtype) -> Light | None:
    """The model in `folder`, on the CPU; None where it may differ from what the libraries read."""
    with suppress(Exception):
        bert = read_folder(folder)
        return Light(bert, precision) if bert else None
    return None


def _normalized(pool: Pool, tokens: Tensor, mask: Tensor) -> Tensor:
    return functional.normalize(pool(tokens, mask), dim=-1)
