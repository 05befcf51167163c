"""Text made up by rule, so that races need no corpus.

Words are as frequent as in English, and form sentences and sections.
"""

from __future__ import annotations

import numpy as np

SYLLABLES = [consonant + vowel for consonant in "bcdfghklmnprstvwz" for vowel in "aeiou"]
LEXICON = 30_000
# Zipf's law as Mandelbrot put it, with his constants for English.
SHIFT, POWER = 2.7, 1.0


class Author:
    """Writes without end, the same for the same seed."""

    def __init__(self, seed: int = 13) -> None:
        self.random = np.random.default_rng(seed)
        chosen = np.random.default_rng(0).integers(len(SYLLABLES), size=(LEXICON, 4))
        lengths = np.minimum(4, 1 + np.arange(LEXICON) // 60)
        self.words = np.array(
            [
                "".join(SYLLABLES[at] for at in row[:n])
                for row, n in zip(chosen, lengths, strict=True)
            ]
        )
        weights = 1 / (np.arange(LEXICON) + SHIFT) ** POWER
        self.shares = np.cumsum(weights / weights.sum())

    def some(self, count: int) -> list[str]:
        """So many words."""
        places = np.searchsorted(self.shares, self.random.random(count))
        return [str(word) for word in self.words[np.minimum(places, LEXICON - 1)]]

    def text(self, words: int) -> str:
        """Sentences of five to twenty-five words."""
        drawn, sentences, at = self.some(words), [], 0
        while at < words:
            length = int(self.random.integers(5, 26))
            sentences.append(" ".join(drawn[at : at + length]).capitalize() + ".")
            at += length
        return " ".join(sentences)

    def passages(self, count: int, words: int = 90) -> list[str]:
        """Passages of a length that varies as in real documents, `words` on average."""
        lengths = self.random.integers(words // 3, words * 5 // 3, size=count)
        return [self.text(int(length)) for length in lengths]

    def document(self, words: int = 1500) -> str:
        """A Markdown document: a title, sections, paragraphs, and a list in every third section."""
        lines = [f"# {' '.join(self.some(4)).capitalize()}", ""]
        left, section = words, 0
        while left > 0:
            lines += [f"## {' '.join(self.some(3)).capitalize()}", ""]
            for _ in range(int(self.random.integers(1, 5))):
                length = int(self.random.integers(30, 160))
                lines += [self.text(length), ""]
                left -= length
            if section % 3 == 2:
                lines += [*(f"- {self.text(12)}" for _ in range(5)), ""]
                left -= 60
            section += 1
        return "\n".join(lines)


def vectors(count: int, dimension: int = 384, seed: int = 13) -> np.ndarray:
    """Random directions, (count, dimension), float32, of length 1."""
    values = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values
