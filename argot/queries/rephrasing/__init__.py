"""Headings and statements as questions: the rules of each language, by its ISO 639-1 code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Protocol

from argot.queries.rephrasing import english, french, german, spanish


class Grammar(Protocol):
    """The module of a language."""

    def of_topic(self, topic: str, written: Mapping[str, int]) -> Iterator[str]:
        """Questions for a heading; `written` counts the corpus' words in lower case."""

    def of_statement(self, statement: str, random: Random) -> Iterator[str]:
        """Questions that the statement answers."""


GRAMMARS: dict[str, Grammar] = {"de": german, "en": english, "es": spanish, "fr": french}
