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

from argot.encoding.fast.bert import Forward

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
    for tokens in (1, 2, 9, 60):
        ids = torch.randint(5, 100, (1, tokens))
        with torch.inference_mode():
            theirs = model(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
            ours = Forward(model.forward, model)({"input_ids": ids})["token_embeddings"]
        assert torch.equal(ours, theirs)
