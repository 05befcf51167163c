"""BERT's forward pass on a CPU: the bits of transformers' own, in less time.

Masks, caches, hooks and signatures around the layers take transformers as long as a short
question's arithmetic, and are left out here. MiniLM, bge, e5, gte and most other embedding models
are BERT; any other keeps its own forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Function = Callable[[Tensor], Tensor]
Layer = tuple[Function, ...]
# Classes of transformers, by name: to import them takes seconds.
KINDS = ("BertModel", "RobertaModel", "XLMRobertaModel")


class Forward:
    """Takes the place of `forward` in the first module of a SentenceTransformer.

    `embeddings` gives the vectors of tokens' ids before the layers. Each layer is its functions, in
    the order in which they are called.
    """

    def __init__(self, embeddings: Function, layers: Sequence[Layer], heads: int) -> None:
        self.embeddings = embeddings
        self.layers = layers
        self.heads = heads

    def __call__(self, features: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Add the tokens' vectors, (texts, tokens, dimension), to `features`."""
        mask, values = features["attention_mask"], self.embeddings(features["input_ids"])
        # Attention is faster without a mask, and gives other last bits: texts of one length get
        # none, as in transformers.
        shape = features["input_ids"].shape
        visible = None if mask.all() else mask.bool()[:, None, None]
        for query, key, value, mixed, norm, inner, activation, outer, last in self.layers:
            asking, asked, given = (
                part(values).view(*shape, self.heads, -1).transpose(1, 2)
                for part in (query, key, value)
            )
            seen = scaled_dot_product_attention(asking, asked, given, attn_mask=visible)
            seen = seen.transpose(1, 2).flatten(2)
            values = norm(mixed(seen) + values)
            values = last(outer(activation(inner(values))) + values)
        return {**features, "token_embeddings": values}


def simplify(model: SentenceTransformer) -> None:
    """Give `model` the short forward pass, if it is of a kind that has one."""
    first: Any = model[0]
    known: Any = getattr(first, "model", None)
    if (
        type(known).__name__ in KINDS
        and type(known).__module__.startswith("transformers.")
        and not known.config.is_decoder
        and known.config._attn_implementation == "sdpa"
    ):
        heads = known.config.num_attention_heads
        layers = [_functions(layer) for layer in known.encoder.layer]
        first.forward = Forward(known.embeddings, layers, heads)


def _functions(layer: Any) -> Layer:
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
