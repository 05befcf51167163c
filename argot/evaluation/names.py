"""The rows of every comparison: their names, for programs and for people, and their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

BM25 = "bm25"
# The rows of every run, in the order in which they are shown.
ALWAYS = (BM25, "base", "base+bm25", "tuned", "tuned+bm25")
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


def sides(dim: int) -> Sides:
    """Both sides, with vectors cut to `dim`, or whole where that is 0."""
    return Sides(with_bm25(row("base", dim)), with_bm25(row("tuned", dim)))


def named(systems: Iterable[str]) -> dict[str, str]:
    """Rows with their names for people, in order.

    First the five of every run, then those with cut vectors, then managed models.
    """
    there = set(systems)
    usual = [system for system in ALWAYS if system in there]
    # False sorts before True: rows with cut vectors, such as tuned@256, come first.
    further = sorted(there.difference(ALWAYS), key=lambda system: ("@" not in system, system))
    return {system: name(system) for system in [*usual, *further]}


def name(system: str) -> str:
    """A row's name for people: tuned@256+bm25 is `tuned, cut to 256 + BM25`."""
    dense, _, fused = system.partition("+")
    model, _, dim = dense.partition("@")
    return (
        NAMES.get(model, model)
        + (f", cut to {dim}" if dim else "")
        + (f" + {NAMES[BM25]}" if fused else "")
    )
