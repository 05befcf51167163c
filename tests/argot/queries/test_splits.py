"""Which split a document belongs to, whatever comes and goes."""

from __future__ import annotations

from random import Random

import pytest

from argot.documents.near_duplicates import group
from argot.queries.splits import side_of, split_of

SHARES = (0.2, 0.3)


def sides(corpus: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Each document's side and its group."""
    rows = [{"document": name, "text": corpus[name]} for name in sorted(corpus)]
    group(rows, 0.7)
    groups = {row["document"]: row["group"] for row in rows}
    return {name: side_of(name, group, *SHARES) for name, group in groups.items()}, groups


def near_copy(text: str, random: Random) -> str:
    words = text.split()
    words[random.randrange(len(words))] = f"new{random.random()}"
    return " ".join(words)


@pytest.mark.parametrize("seed", range(12))
def test_no_addition_deletion_or_near_copy_moves_a_document_to_another_side(seed: int) -> None:
    random = Random(seed)
    corpus: dict[str, str] = {}
    seen: dict[str, set[str]] = {}
    left_out = linked = 0
    for step in range(60):
        name = f"{random.randrange(10**6):06}.md"
        kind = random.choice(["new", "copy", "copy", "delete"])
        if kind == "delete" and corpus:
            del corpus[random.choice(sorted(corpus))]
        elif kind == "copy" and corpus:
            corpus[name] = near_copy(corpus[random.choice(sorted(corpus))], random)
        else:
            corpus[name] = " ".join(f"s{step}w{number}" for number in range(60))
        now, groups = sides(corpus)
        for document, side in now.items():
            if side:
                seen.setdefault(document, set()).add(side)
            left_out += not side
        for document, first in groups.items():
            # All that take part of a group are on one side, and its first one always does.
            assert now[document] in ("", now[first])
            assert now[first] == split_of(first, *SHARES)
            linked += document != first
    assert all(len(one) == 1 for one in seen.values())
    assert left_out > 20 and linked > 50


def test_a_document_alone_is_where_its_path_says() -> None:
    names = [f"{number}.md" for number in range(3000)]
    found = [side_of(name, name, *SHARES) for name in names]
    assert found == [split_of(name, *SHARES) for name in names]
    assert found.count("test") == pytest.approx(900, abs=100)
    assert found.count("dev") == pytest.approx(600, abs=100)
