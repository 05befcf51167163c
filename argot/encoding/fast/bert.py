"""BERT's forward pass over a single text: the bits of transformers' own, in less time.

Masks, caches, hooks and signatures around the layers take transformers as long as a short
question's arithmetic, and are left out here. MiniLM, bge, e5, gte and most other embedding models
are BERT; any other keeps its own forward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import scaled_dot_product_attention
from transformers import BertModel, RobertaModel, XLMRobertaModel

KINDS = (BertModel, RobertaModel, XLMRobertaModel)


class Forward:
    """Takes the place of `forward` in the first module of a SentenceTransformer."""

    def __init__(self, whole: Callable[..., dict[str, Any]], model: Any) -> None:
        self.whole = whole
        self.embeddings = model.embeddings
        self.layers = [_parts(layer) for layer in model.encoder.layer]
        self.heads: int = model.config.num_attention_heads

    def __call__(self, features: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Add the tokens' vectors, (texts, tokens, dimension), to `features`.

        A batch of several texts, which needs masks, takes the model's own forward pass.
        """
        if len(features["input_ids"]) > 1:
            return self.whole(features, **options)
        values = self.embeddings(input_ids=features["input_ids"])
        for query, key, value, mixed, norm, inner, activation, outer, last in self.layers:
            heads = [
                part(values).unflatten(2, (self.heads, -1)).transpose(1, 2)
                for part in (query, key, value)
            ]
            seen = scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
            values = norm(mixed(seen) + values)
            values = last(outer(activation(inner(values))) + values)
        return {**features, "token_embeddings": values}


def simplify(model: SentenceTransformer) -> None:
    """Give `model` the short forward pass, if it is of a kind that has one."""
    first: Any = model[0]
    known: Any = getattr(first, "model", None)
    if (
        type(known) in KINDS
        and not known.config.is_decoder
        and known.config._attn_implementation == "sdpa"
    ):
        first.forward = Forward(first.forward, known)


def _parts(layer: Any) -> tuple[torch.nn.Module, ...]:
    own, seen, inner, outer = (
        layer.attention.self,
        layer.attention.output,
        layer.intermediate,
        layer.output,
    )
    return (
        *(own.query, own.key, own.value, seen.dense, seen.LayerNorm),
        *(inner.dense, inner.intermediate_act_fn, outer.dense, outer.LayerNorm),
    )
