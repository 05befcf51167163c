from __future__ import annotations

import pytest
import torch

from argot.encoding.embedder import TASKS, Embedder, Role, load_model
from argot.encoding.token_encoder import TokenEncoder
from argot.ranking.tokens import TokenIndex, shares
from argot.training.student.maxsim import FREE, IDS, WEIGHTS, TokenRules, maxsim, weighted
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


def tokens(
    encoder: TokenEncoder, texts: list[str], role: Role, hidden_share: float = 0.0
) -> torch.Tensor:
    model = encoder.embedder._model
    features = model.preprocess(texts, task=TASKS[role])
    rules = TokenRules(encoder, PASSAGES, hidden_share, seed=1).of(features, role, step=0)
    with torch.inference_mode():
        return weighted(model(features)["token_embeddings"], rules[WEIGHTS], rules[IDS])


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
    rules = TokenRules(encoder, PASSAGES, 0.5, seed=1)
    weights = rules.weights(features, "passage")
    assert weights.sum(dim=1).tolist() == [11, 2]
    asked = rules.weights(features, "query")
    assert asked.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert ((asked > 0) == (weights > 0)).all()


def test_a_hidden_token_matches_another_than_itself(encoder: TokenEncoder) -> None:
    plain, hidden = (tokens(encoder, ["an invoice"], "query", share) for share in (0.0, 1.0))
    found = tokens(encoder, ["an invoice of the pump"], "passage")
    counted = hidden[0][hidden[0, :, :-1].any(dim=-1)]
    products = counted[:, :-1] @ found[0, :, :-1].T
    products[counted[:, None, -1] == found[None, 0, :, -1]] = -1
    wanted = float(products.amax(dim=1).sum())
    assert float(maxsim(hidden, found)) == pytest.approx(wanted, abs=1e-5)
    assert wanted < 0.9 < float(maxsim(plain, found))


def test_a_passage_of_the_hidden_tokens_alone_still_has_a_score(encoder: TokenEncoder) -> None:
    query = tokens(encoder, ["invoice"], "query", 1.0)
    assert float(maxsim(query, tokens(encoder, ["invoice"], "passage"))) == pytest.approx(
        1, abs=0.1
    )


def test_a_share_of_the_tokens_is_hidden_and_each_step_hides_others(encoder: TokenEncoder) -> None:
    features = encoder.embedder._model.preprocess(PASSAGES, task="query")
    rules = TokenRules(encoder, PASSAGES, 0.5, seed=1)
    steps = [rules.of(features, "query", step)[IDS] for step in range(40)]
    assert torch.equal(steps[0], rules.of(features, "query", 0)[IDS])
    assert not torch.equal(steps[0], steps[1])
    words = features["input_ids"] >= 5  # the first five are special tokens
    hidden = torch.stack(steps)[:, words] != FREE
    assert 0.4 < float(hidden.float().mean()) < 0.6
    # In a step a word is hidden wherever it stands.
    thirty = features["input_ids"] == features["input_ids"][0][features["input_ids"][0] >= 5][4]
    assert all(len(set((ids[thirty] != FREE).tolist())) == 1 for ids in steps)
    passages = rules.of(features, "passage", 0)[IDS]
    assert torch.equal(passages, features["input_ids"])


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
    # No token of the queries is hidden.
    ids = [torch.full((*size[:2], 1), own) for size, own in zip(shape, (FREE, 7), strict=True)]
    scores = maxsim(*(torch.cat(both, dim=-1) for both in zip(made, ids, strict=True)))
    assert torch.allclose(scores, defined, atol=1e-5)
    for found, wanted in zip(
        torch.autograd.grad((scores * goal).sum(), states), expected, strict=True
    ):
        assert torch.allclose(found, wanted, atol=1e-5)
