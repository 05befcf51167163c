"""Texts as a model encoded them: a vector each, and the token vectors of those that are searched.

A store is a folder with keys.parquet and vectors.npy and, where there are token vectors, tokens/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from argot.core.files import replacing_folder
from argot.core.params import SomeSettings
from argot.encoding.store.tokens import Tokens, read_tokens, save_tokens
from argot.encoding.store.vectors import Vectors, read_vectors, save_vectors
from argot.errors import InputError

TOKENS = "tokens"
# `auto` keeps the token vectors of at most this many passages, about 0.8 GB (docs/SCALE.md).
TOKENS_UP_TO = 100_000


class TokenSettings(SomeSettings):
    """Whether texts are searched by their tokens too: of the section `index`."""

    tokens: Literal["auto", "on", "off"]

    def wants(self, passages: int) -> bool:
        """Are so many passages searched by their tokens?"""
        return self.tokens == "on" or (self.tokens == "auto" and passages <= TOKENS_UP_TO)


@dataclass(frozen=True)
class Encoded:
    """The vectors of texts, and the tokens of some of these texts."""

    vectors: Vectors
    tokens: Tokens

    @property
    def keys(self) -> list[str]:
        """The names of all texts."""
        return self.vectors.keys

    def take(self, rows: Sequence[int]) -> Encoded:
        """Some of the texts."""
        vectors = self.vectors.take(rows)
        return Encoded(vectors, self.tokens.some(vectors.keys))


def write_encoded(folder: Path, encoded: Encoded) -> None:
    """Write a store as a folder, whole or not at all."""
    with replacing_folder(folder) as beside:
        save_vectors(beside, encoded.vectors)
        if len(encoded.tokens):
            save_tokens(beside / TOKENS, encoded.tokens)


def read_encoded(folder: Path) -> Encoded:
    """Open a store, memory-mapped; InputError if it is missing or damaged."""
    vectors = read_vectors(folder)
    return Encoded(vectors, read_tokens(folder / TOKENS) if has_tokens(folder) else Tokens.none())


def has_tokens(folder: Path) -> bool:
    """Does a store hold token vectors?"""
    return (folder / TOKENS).is_dir()


def tokens_of(folder: Path) -> Tokens:
    """The token vectors of a store; InputError where it has none."""
    if not has_tokens(folder):
        raise InputError(f"{folder} holds no token vectors; run `dvc repro`")
    return read_tokens(folder / TOKENS)
