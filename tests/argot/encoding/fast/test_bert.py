from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from argot.encoding.fast.bert import Forward, _functions

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


@pytest.mark.parametrize(
    ("kind", "config"),
    [(BertModel, BertConfig), (RobertaModel, RobertaConfig), (XLMRobertaModel, XLMRobertaConfig)],
)
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_the_forward_pass_equals_that_of_transformers(
    kind: Any, config: Any, activation: str
) -> None:
    """Equal to the last bit: vectors that were kept before must stay valid."""
    torch.manual_seed(13)
    model = kind(config(vocab_size=100, hidden_act=activation, **SMALL)).eval()
    layers = [_functions(layer) for layer in model.encoder.layer]
    forward = Forward(model.embeddings, layers, model.config.num_attention_heads)
    for texts, tokens in ((1, 1), (1, 2), (1, 9), (1, 60), (4, 16), (4, 48)):
        ids = torch.randint(5, 100, (texts, tokens))
        mask = (torch.arange(tokens) < torch.arange(tokens, tokens - texts, -1)[:, None]).long()
        for features in (
            {"input_ids": ids, "attention_mask": torch.ones_like(ids)},
            {"input_ids": ids, "attention_mask": mask},
        ):
            with torch.inference_mode():
                theirs = model(**features)[0]
                ours = forward(features)["token_embeddings"]
            assert torch.equal(ours, theirs)
