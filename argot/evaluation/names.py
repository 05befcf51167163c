"""The rows of every comparison: their names, for programs and for people, and their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

BM25, TOKENS = "bm25", "tokens"
# The rows of every run, in the order in which they are shown. Those with tokens are there where the
# release is searched by tokens.
ALWAYS = (
    *(BM25, "base", "base+bm25", "base+bm25+tokens"),
    *("tuned", "tuned+bm25", "tuned+bm25+tokens"),
)
NAMES = {BM25: "BM25"}


class Sides(NamedTuple):
    """The two rows that the verdict compares: base and tuned, as they would ship."""

    stays: str = "base+bm25"
    ships: str = "tuned+bm25"


def row(model: str, dim: int) -> str:
    """A model's row: tuned, or tuned@256 with vectors cut to 256 dimensions; 0 keeps all."""
    return f"{model}@{dim}" if dim else model


def with_bm25(dense: str) -> str:
    """The row of a model fused with BM25."""
    return f"{dense}+{BM25}"


def with_tokens(dense: str) -> str:
    """The row of a model that ranks by words, by its vectors and by its tokens."""
    return f"{with_bm25(dense)}+{TOKENS}"


def sides(dim: int, by_token: bool) -> Sides:
    """Both sides with all their rankers, and with vectors cut to `dim`, or whole where it is 0."""
    fused = with_tokens if by_token else with_bm25
    return Sides(fused(row("base", dim)), fused(row("tuned", dim)))


def named(systems: Iterable[str]) -> dict[str, str]:
    """Rows with their names for people, in order.

    First those of every run, then those with cut vectors, then managed models.
    """
    there = set(systems)
    usual = [system for system in ALWAYS if system in there]
    # False sorts before True: rows with cut vectors, such as tuned@256, come first.
    further = sorted(there.difference(ALWAYS), key=lambda system: ("@" not in system, system))
    return {system: name(system) for system in [*usual, *further]}


def name(system: str) -> str:
    """A row's name for people: tuned@256+bm25 is `tuned, cut to 256 + BM25`."""
    dense, *others = system.split("+")
    model, _, dim = dense.partition("@")
    first = NAMES.get(model, model) + (f", cut to {dim}" if dim else "")
    return " + ".join([first, *(NAMES.get(ranker, ranker) for ranker in others)])
