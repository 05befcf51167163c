"""Documents that say nearly the same share a group."""

from __future__ import annotations

from argot.documents.near_duplicates import group, shingles


def grouped(*texts: str, threshold: float = 0.9) -> list[str]:
    rows = [{"document": f"{number}.md", "text": text} for number, text in enumerate(texts)]
    group(rows, threshold)
    return [row["group"] for row in rows]


def test_copies_and_near_copies_share_the_smallest_path() -> None:
    long = " ".join(
        f"berth {number} closes on day {number * 7} at {number % 24} hours" for number in range(200)
    )
    other = " ".join(f"crane {number} lifts {number * 3} tons" for number in range(200))
    assert grouped(other, long, long + " Until further notice.", long, "x") == [
        "0.md",
        "1.md",
        "1.md",
        "1.md",
        "4.md",
    ]


def test_near_duplicates_are_those_of_exactly_this_jaccard_similarity() -> None:
    """Every pair is far from the others, and a little above or below the threshold, or on it."""
    texts, expected = [], []
    for pair, changed in enumerate(range(1, 41)):
        words = [f"p{pair}w{number}" for number in range(404)]
        texts += [
            " ".join(words),
            " ".join([*words[:-changed], *(f"x{at}" for at in words[:changed])]),
        ]
        one, other = (set(shingles(text)) for text in texts[-2:])
        expected.append(len(one & other) / len(one | other) >= 0.9)
    assert 15 < sum(expected) < 25
    groups = grouped(*texts)
    assert [one == other for one, other in zip(groups[::2], groups[1::2], strict=True)] == expected
