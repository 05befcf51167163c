from __future__ import annotations

import pytest
import torch

from argot.encoding.embedder import TASKS, Embedder, Role, load_model
from argot.encoding.token_encoder import TokenEncoder
from argot.ranking.tokens import TokenIndex, shares
from argot.training.student.maxsim import TokenWeights, maxsim, weighted
from tools.tiny.model import make_tiny_model

PASSAGES = [
    "return the damaged pump within thirty days, and keep its invoice",
    "the pump (two of them) needs oil every thirty days",
    "an invoice.",
]
QUERIES = ["when must the pump be returned?", "invoice of the oil"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TokenEncoder:
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"), [*PASSAGES, *QUERIES])
    return TokenEncoder(Embedder(folder, load_model(folder, "cpu").eval()))


def tokens(encoder: TokenEncoder, texts: list[str], role: Role) -> torch.Tensor:
    model = encoder.embedder._model
    features = model.preprocess(texts, task=TASKS[role])
    weights = TokenWeights(encoder, PASSAGES).of(features, role)
    with torch.inference_mode():
        return weighted(model(features)["token_embeddings"], weights)


def test_training_scores_as_the_ranker_by_tokens_does(encoder: TokenEncoder) -> None:
    _, asked = encoder.encode(QUERIES, "query")
    # As queries, passages are not pooled: training doesn't either.
    _, found = encoder.encode(PASSAGES, "query")
    rarity = TokenIndex.build(encoder.encode(PASSAGES, "passage")[1]).rarity
    scores = maxsim(tokens(encoder, QUERIES, "query"), tokens(encoder, PASSAGES, "passage"))
    for query in range(len(QUERIES)):
        for passage in range(len(PASSAGES)):
            nearest = (asked.vectors(query) @ found.vectors(passage).T).max(axis=1)
            wanted = (nearest * shares(rarity, asked.ids[query])).sum()
            assert float(scores[query, passage]) == pytest.approx(wanted, abs=0.01)


def test_punctuation_and_special_tokens_weigh_nothing(encoder: TokenEncoder) -> None:
    features = encoder.embedder._model.preprocess([PASSAGES[0], "an invoice."], task="document")
    weights = TokenWeights(encoder, PASSAGES).of(features, "passage")
    assert weights.sum(dim=1).tolist() == [11, 2]
    asked = TokenWeights(encoder, PASSAGES).of(features, "query")
    assert asked.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert ((asked > 0) == (weights > 0)).all()


def test_the_gradient_is_that_of_the_definition() -> None:
    torch.manual_seed(3)
    shape = [(4, 5, 8), (3, 7, 8)]
    counted = [torch.rand(texts, length) < 0.7 for texts, length, _ in shape]
    states = [torch.randn(*size, requires_grad=True) for size in shape]
    made = [state * mask[:, :, None] for state, mask in zip(states, counted, strict=True)]
    products = torch.einsum("qtd,psd->qpts", *made)
    products = products.masked_fill(~counted[1][None, :, None, :], -torch.inf)
    defined = products.amax(dim=3).sum(dim=2)
    goal = torch.randn(4, 3)
    expected = torch.autograd.grad((defined * goal).sum(), states, retain_graph=True)
    scores = maxsim(*made)
    assert torch.allclose(scores, defined, atol=1e-5)
    for found, wanted in zip(
        torch.autograd.grad((scores * goal).sum(), states), expected, strict=True
    ):
        assert torch.allclose(found, wanted, atol=1e-5)
