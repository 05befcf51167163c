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


def test_near_duplicates_match_the_jaccard_similarity_they_are_named_after() -> None:
    words = [f"w{number}" for number in range(2000)]
    texts = [" ".join(words[:1000]), " ".join(words[:600] + words[1000:1400])]
    one, other = (set(shingles(text)) for text in texts)
    jaccard = len(one & other) / len(one | other)
    assert len(set(grouped(*texts, threshold=jaccard - 0.15))) == 1
    assert len(set(grouped(*texts, threshold=jaccard + 0.15))) == 2
