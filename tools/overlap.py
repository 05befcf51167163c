"""The share of a question's content words that its quote has too.

    python -m tools.overlap FOLDER [FOLDER ...]

FOLDER holds question files (*.jsonl). Words are compared by their stems, stop words left out; of
several quotes the one that shares most counts. The lower the share, the harder the questions are
for BM25.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import Stemmer
from bm25s.stopwords import STOPWORDS_EN

WORD = re.compile(r"\w+")
STEM = Stemmer.Stemmer("english")


def content_words(text: str) -> set[str]:
    """The stems of a text's words, stop words left out."""
    words = {word.lower() for word in WORD.findall(text)}
    return set(STEM.stemWords(sorted(words - set(STOPWORDS_EN))))


def overlap(question: dict[str, object]) -> float | None:
    """The share for one question; None where it has no quote or no content word."""
    words = content_words(str(question["query"]))
    quotes = [str(place["quote"]) for place in question["relevant"] if place.get("quote")]  # type: ignore[attr-defined]
    if not words or not quotes:
        return None
    return max(len(words & content_words(quote)) / len(words) for quote in quotes)


def main() -> None:
    """Print the mean share of each folder of questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    for folder in parser.parse_args().folders:
        lines = [
            line
            for file in sorted(folder.glob("*.jsonl"))
            for line in file.read_text("utf-8").splitlines()
        ]
        shares = [share for line in lines if (share := overlap(json.loads(line))) is not None]
        print(
            f"{folder}: {len(shares)} questions with quotes; "
            f"mean share {sum(shares) / len(shares):.3f}"
        )


if __name__ == "__main__":
    main()
