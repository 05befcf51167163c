"""BERT's forward pass in training on a CPU: all texts' tokens in one matrix, without padding.

A step's texts differ much in length: of a batch of queries more than half would be padding. Only
attention sees texts, and takes those of one length at once. Linear layers are multiplied by oneDNN,
for the same reason as in encoding (argot/encoding/fast/onednn.py), or in bfloat16 by autocast.
"""

from __future__ import annotations

from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from argot.encoding.fast.bert import Forward, Function, simplify
from argot.encoding.fast.onednn import OPERATORS


class Unpadded:
    """Takes the place of `forward` in the first module of a SentenceTransformer, in training only.

    In evaluation `plain` gives a text the same bits whatever its neighbours.
    """

    def __init__(self, plain: Forward, model: nn.Module) -> None:
        self.plain = plain
        self.model = model

    def __call__(self, features: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Add the tokens' vectors, (texts, tokens, dimension), to `features`; 0 for padding."""
        if not self.model.training:
            return self.plain(features, **options)
        mask = features["attention_mask"].bool()
        there = mask.flatten().nonzero()[:, 0]
        lengths, counts = torch.unique_consecutive(mask.sum(dim=1), return_counts=True)
        groups = list(zip(counts.tolist(), lengths.tolist(), strict=True))

        padded = self.plain.embeddings(features["input_ids"]).flatten(0, 1)
        values = padded.index_select(0, there)
        for query, key, value, mixed, norm, inner, activation, outer, last in self.plain.layers:
            heads = [linear(part, values) for part in (query, key, value)]
            seen = attention(heads, groups, self.plain.heads)
            values = norm(linear(mixed, seen) + values)
            values = last(linear(outer, activation(linear(inner, values))) + values)
        tokens = torch.zeros_like(padded).index_copy(0, there, values)
        return {**features, "token_embeddings": tokens.view(*mask.shape, -1)}


def attention(heads: list[Tensor], groups: list[tuple[int, int]], count: int) -> Tensor:
    """Attention within each text, (tokens, dimension), by `count` heads.

    `heads` are query, key and value, (tokens, dimension), of the texts one behind the other;
    `groups` says how many texts of which length follow each other.
    """
    sizes = [texts * length for texts, length in groups]
    # In bfloat16 the gradient of torch's attention takes three times as long as in float32.
    queries, keys, values = (torch.split(part.float(), sizes) for part in heads)
    found = []
    with torch.autocast("cpu", enabled=False):
        for group, *parts in zip(groups, queries, keys, values, strict=True):
            query, key, value = (part.view(*group, count, -1).transpose(1, 2) for part in parts)
            seen = scaled_dot_product_attention(query, key, value)
            found.append(seen.transpose(1, 2).flatten(0, 1).flatten(1))
    return torch.cat(found)


def linear(layer: Function, values: Tensor) -> Tensor:
    """What `layer` makes of `values`; an adapter's own products stay its own."""
    if type(layer) is nn.Linear and not torch.is_autocast_enabled("cpu"):
        product: Tensor = Product.apply(values, layer.weight, layer.bias)  # type: ignore[no-untyped-call]
        return product
    return layer(values)


class Product(torch.autograd.Function):
    """A linear layer by oneDNN, and its gradient by the values; that by the weights is torch's.

    For a product that sums over all tokens, oneDNN is hardly faster.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        product: Tensor = OPERATORS._linear_pointwise(values, weight, bias, "none", [], "")
        return product

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        by_values = OPERATORS._linear_pointwise(gradient, weight.t(), None, "none", [], "")
        return by_values, gradient.t() @ values, gradient.sum(dim=0)


def drop_padding(model: SentenceTransformer) -> None:
    """Give `model` this forward pass, if it is on a CPU, of a known kind, and without dropout."""
    dropout = any(isinstance(part, nn.Dropout) and part.p for part in model.modules())
    if model.device.type != "cpu" or dropout or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    simplify(model)
    first: Any = model[0]
    if isinstance(first.forward, Forward):
        first.forward = Unpadded(first.forward, first)
