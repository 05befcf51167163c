"""MaxSim in training: what the ranker by tokens computes (ranking/tokens.py), with a gradient.

Training scores whole tokens in float32; the ranker's are pooled, and kept in fewer bits.
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


class TokenWeights:
    """What each token of a text weighs: in a passage all count alike, in a query by rarity."""

    def __init__(self, encoder: TokenEncoder, passages: Sequence[str]) -> None:
        held = [np.unique(ids) for ids in encoder.ids(passages, "passage")]
        self.encoder = encoder
        self.rarity = rarity(np.concatenate(held), len(held))

    def of(self, features: dict[str, Any], role: Role) -> Tensor:
        """The weights, (texts, tokens), of tokenized texts; 0 for a token that doesn't count."""
        weights = torch.zeros(features["input_ids"].shape)
        texts = zip(features["input_ids"].numpy(), features["attention_mask"].numpy(), strict=True)
        for row, (ids, mask) in enumerate(texts):
            there = np.flatnonzero(mask)
            counted = there[self.encoder.counted(ids[there], role)]
            own = shares(self.rarity, ids[counted]) if role == "query" else np.ones(len(counted))
            weights[row, counted] = torch.from_numpy(own).float()
        return weights


def weighted(states: Tensor, weights: Tensor) -> Tensor:
    """The model's last states, (texts, tokens, width), as vectors as long as their weights."""
    return functional.normalize(states.float(), dim=-1) * weights[:, :, None]


def maxsim(queries: Tensor, passages: Tensor) -> Tensor:
    """The scores, (queries, passages), of `weighted` tokens; those of length 0 don't count.

    A score is the sum, over a query's tokens, of each one's product with the passage's nearest
    token. Only the nearest have a gradient, so the product of all tokens with all is not kept.
    """
    asked, counted = queries.any(dim=-1), passages.any(dim=-1)
    tokens, found = queries[asked], passages[counted]
    counts: list[int] = counted.sum(dim=1).tolist()
    starts = np.cumsum([0, *counts[:-1]]).tolist()
    with torch.no_grad():
        parts = torch.split(tokens @ found.T, counts, dim=1)
        nearest = [start + part.argmax(dim=1) for start, part in zip(starts, parts, strict=True)]
        at = torch.stack(nearest, dim=1)
    best = found.index_select(0, at.flatten()).view(*at.shape, -1)
    products = torch.bmm(best, tokens[:, :, None])[:, :, 0]
    scores = torch.zeros(len(queries), len(passages), device=tokens.device)
    return scores.index_add(0, asked.nonzero()[:, 0], products)
