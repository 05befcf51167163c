"""MaxSim in training: what the ranker by tokens computes (ranking/tokens.py), with a gradient.

Training scores whole tokens in float32; the ranker's are pooled, and kept in fewer bits. Some
tokens of a query must find others than themselves in a passage: words that are the same are BM25's
part, and queries made by rule have hardly any others (docs/LOG.md). The inverse cloze task takes
the query's sentence out of its passage to the same end (Lee et al. 2019, arXiv 1906.00300).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from argot.encoding.embedder import Role
from argot.encoding.token_encoder import TokenEncoder
from argot.ranking.tokens import rarity, shares

# Among a model's features: what each token weighs, and its id.
WEIGHTS, IDS = "weights", "ids"
# Instead of the id, for a query's token that may match itself.
FREE = -1
# Less than any product of unit vectors.
FARTHEST = -2.0


class TokenRules:
    """What each token of a text weighs, and which tokens of queries must not match themselves.

    In a passage all tokens count alike, in a query by rarity. In each step `hidden_share` of the
    vocabulary, drawn by `seed`, must not match itself.
    """

    def __init__(
        self, encoder: TokenEncoder, passages: Sequence[str], hidden_share: float, seed: int
    ) -> None:
        held = [np.unique(ids) for ids in encoder.ids(passages, "passage")]
        self.encoder = encoder
        self.rarity = rarity(np.concatenate(held), len(held))
        self.hidden_share = hidden_share
        self.seed = seed

    def of(self, features: dict[str, Any], role: Role, step: int) -> dict[str, Tensor]:
        """The WEIGHTS and IDS, (texts, tokens), of a step's tokenized texts."""
        ids: Tensor = features["input_ids"]
        if role == "query":
            draws = np.random.default_rng([self.seed, step, 1]).random(len(self.rarity))
            draws[-1] = 1.0  # stands for all tokens that no passage holds
            hidden = torch.from_numpy(draws < self.hidden_share)
            ids = torch.where(hidden[ids.clamp(max=len(hidden) - 1)], ids, FREE)
        return {WEIGHTS: self.weights(features, role), IDS: ids}

    def weights(self, features: dict[str, Any], role: Role) -> Tensor:
        """The weights, (texts, tokens), of tokenized texts; 0 for a token that doesn't count."""
        weights = torch.zeros(features["input_ids"].shape)
        texts = zip(features["input_ids"].numpy(), features["attention_mask"].numpy(), strict=True)
        for row, (ids, mask) in enumerate(texts):
            there = np.flatnonzero(mask)
            counted = there[self.encoder.counted(ids[there], role)]
            own = shares(self.rarity, ids[counted]) if role == "query" else np.ones(len(counted))
            weights[row, counted] = torch.from_numpy(own).float()
        return weights


def weighted(states: Tensor, weights: Tensor, ids: Tensor) -> Tensor:
    """The model's last states, (texts, tokens, width), as vectors as long as their weights.

    Behind each vector is the token's `ids` as one number more: (texts, tokens, width + 1).
    """
    vectors = functional.normalize(states.float(), dim=-1) * weights[:, :, None]
    return torch.cat([vectors, ids[:, :, None]], dim=-1)


def maxsim(queries: Tensor, passages: Tensor) -> Tensor:
    """The scores, (queries, passages), of `weighted` tokens; those of length 0 don't count.

    A score is the sum, over a query's tokens, of each one's product with the passage's nearest
    token of another id than its own. Only the nearest have a gradient, so the product of all
    tokens with all is not kept.
    """
    (queries, hidden), (passages, ids) = map(_apart, (queries, passages))
    asked, counted = queries.any(dim=-1), passages.any(dim=-1)
    tokens, found = queries[asked], passages[counted]
    counts: list[int] = counted.sum(dim=1).tolist()
    starts = np.cumsum([0, *counts[:-1]]).tolist()
    with torch.no_grad():
        same = hidden[asked][:, None] == ids[counted]
        products = (tokens @ found.T).masked_fill(same, FARTHEST)
        parts = torch.split(products, counts, dim=1)
        nearest = [start + part.argmax(dim=1) for start, part in zip(starts, parts, strict=True)]
        at = torch.stack(nearest, dim=1)
    best = found.index_select(0, at.flatten()).view(*at.shape, -1)
    products = torch.bmm(best, tokens[:, :, None])[:, :, 0]
    scores = torch.zeros(len(queries), len(passages), device=tokens.device)
    return scores.index_add(0, asked.nonzero()[:, 0], products)


def _apart(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The vectors of `weighted` tokens, and their ids."""
    return tokens[..., :-1], tokens[..., -1]
