"""A model that encodes texts by tokens: which tokens count, and how they are kept (tokens.py)."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from argot.encoding.embedder import ROLES, Batch, Embedder, Role
from argot.encoding.store.tokens import Floats, Tokens, pack, pool, quantise, unit
from argot.encoding.store.vectors import key


class TokenEncoder:
    """Encodes texts by tokens with a loaded model."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        tokenizer = embedder.tokenizer
        names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        self._special = np.isin(np.arange(len(names)), sorted(special))
        self._punctuation = np.array([_is_punctuation(name) for name in names])
        self._prompt = {
            role: int((~self._special[tokenizer([embedder.prompts[role]])["input_ids"][0]]).sum())
            for role in ROLES
        }

    def encode(self, texts: Sequence[str], role: Role) -> tuple[Floats, Tokens]:
        """Single vectors, (texts, dimension), and tokens of one text or more, in their order."""
        vectors = np.empty((len(texts), self.embedder.dimension), dtype=np.float32)
        order: list[int] = []
        parts = []
        for rows, values, tokens in self.stream(texts, role):
            vectors[rows] = values
            order += rows
            parts.append(tokens)
        return vectors, Tokens.joined(parts).take(np.argsort(order).tolist())

    def stream(
        self, texts: Sequence[str], role: Role, by_token: bool = True
    ) -> Iterator[tuple[list[int], Floats, Tokens]]:
        """As `encode`, batch by batch as each is done: rows of `texts`, vectors and tokens.

        Without `by_token` the tokens are those of no text.
        """

        def made(batch: Batch) -> tuple[list[int], Floats, Tokens]:
            keys = [key(texts[row]) for row in batch.rows]
            found = self._tokens(batch, keys, role) if by_token else Tokens.none()
            return batch.rows, batch.vectors, found

        return self.embedder.forward_stream(texts, role, made)

    def ids(self, texts: Sequence[str], role: Role) -> Iterator[NDArray[np.int32]]:
        """The ids of each text's tokens that count; nothing is encoded."""
        for tokens in self.embedder.tokenize(texts, role, cut=True):
            ids = np.array(tokens, dtype=np.int32)
            yield ids[self.counted(ids, role)]

    def _tokens(self, batch: Batch, keys: list[str], role: Role) -> Tokens:
        kept = [self.counted(ids, role) for ids in batch.ids]
        found = []
        for own, states in zip(kept, batch.states, strict=True):
            floats = states if isinstance(states, np.ndarray) else states.float().cpu().numpy()
            vectors = unit(floats[own])
            found.append(pool(vectors) if role == "passage" else vectors)
        ids = [ids[own] for ids, own in zip(batch.ids, kept, strict=True)]
        codes, scales = (pack if role == "passage" else quantise)(np.concatenate(found))
        return Tokens(keys, ids, codes, scales, np.cumsum([0, *map(len, found)], dtype=np.int64))

    def counted(self, ids: NDArray[np.int32], role: Role) -> NDArray[np.int64]:
        """The places of the tokens that count; of a text of nothing but punctuation all do."""
        content = np.flatnonzero(~self._special[ids])[self._prompt[role] :]
        kept = content[~self._punctuation[ids[content]]]
        return next(places for places in (kept, content, np.arange(len(ids))) if len(places))


class QueryEncoder:
    """Encodes queries for several rankers by one forward pass: the last ones are remembered.

    Each thread remembers its own, so that threads don't make one another encode twice.
    """

    def __init__(self, encoder: TokenEncoder) -> None:
        self.encoder = encoder
        self._last = threading.local()

    def vectors(self, queries: Sequence[str]) -> Floats:
        """Their single vectors, (queries, dimension)."""
        return self._encoded(queries)[0]

    def tokens(self, queries: Sequence[str]) -> Tokens:
        """Their tokens."""
        return self._encoded(queries)[1]

    def _encoded(self, queries: Sequence[str]) -> tuple[Floats, Tokens]:
        if getattr(self._last, "queries", None) != list(queries):
            self._last.encoded = self.encoder.encode(queries, "query")
            self._last.queries = list(queries)
        encoded: tuple[Floats, Tokens] = self._last.encoded
        return encoded


def _is_punctuation(name: str) -> bool:
    """Is a token, without the mark that its tokenizer puts before it, nothing but punctuation?"""
    if name[-1:].isalnum():  # nearly all are, and it is seen at once
        return False
    bare = name.removeprefix("##").lstrip("▁Ġ")
    return bool(bare) and all(unicodedata.category(character)[0] in "PS" for character in bare)
