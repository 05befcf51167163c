from __future__ import annotations

from types import SimpleNamespace
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

from argot.encoding.fast.bert import simplify
from argot.training.student.unpadded import Unpadded

SMALL: dict[str, Any] = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def texts(lengths: list[int], padding: int) -> dict[str, torch.Tensor]:
    mask = (torch.arange(max(lengths))[None, :] < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, 100, mask.shape, generator=torch.Generator().manual_seed(5))
    return {"input_ids": ids * mask + padding * (1 - mask), "attention_mask": mask}


def gradients(model: Any, tokens: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    weight = torch.randn(tokens.shape, generator=torch.Generator().manual_seed(7))
    (tokens * weight * mask[:, :, None]).sum().backward()
    named = model.named_parameters()
    return {name: part.grad for name, part in named if part.grad is not None}


@pytest.mark.parametrize(
    ("kind", "config"),
    [(BertModel, BertConfig), (RobertaModel, RobertaConfig), (XLMRobertaModel, XLMRobertaConfig)],
)
@pytest.mark.parametrize("lengths", [[9, 7, 7, 7, 2, 1], [3, 8, 3], [5]])
def test_vectors_and_gradients_equal_those_of_transformers(
    kind: Any, config: Any, lengths: list[int]
) -> None:
    torch.manual_seed(13)
    model = kind(config(**SMALL)).train()
    batch = texts(lengths, model.config.pad_token_id)
    mask = batch["attention_mask"]
    theirs = model(**batch)[0]
    first: Any = SimpleNamespace(model=model, forward=None)
    simplify([first])  # type: ignore[arg-type]  # of a SentenceTransformer, its first module
    ours = Unpadded(first.forward, model)(batch)["token_embeddings"]
    assert torch.allclose(ours, theirs * mask[:, :, None], atol=1e-5)
    expected, found = gradients(model, theirs, mask), gradients(model, ours, mask)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-4, rtol=1e-4), name


def test_a_model_that_is_evaluated_keeps_its_own_forward_pass() -> None:
    model = BertModel(BertConfig(**SMALL)).eval()
    plain: Any = lambda features: {"token_embeddings": "its own"}  # noqa: E731
    assert Unpadded(plain, model)(texts([3, 2], 0)) == {"token_embeddings": "its own"}
