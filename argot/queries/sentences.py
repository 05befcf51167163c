"""Queries from a passage's own sentences: as questions, and as the half that someone remembers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from argot.queries.draft import Context, Draft
from argot.queries.prose import Sentence, sentences
from argot.queries.rephrasing import GRAMMARS
from argot.tables.chunks import ChunkRow

KEPT = 0.6  # of a sentence's words that are no stop words


def statement(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """Questions that the passage's statements answer."""
    if chunk.language not in GRAMMARS:
        return
    for found in _shuffled(chunk, random):
        for question in GRAMMARS[chunk.language].of_statement(found.text, random):
            yield Draft.of(question, chunk, found.start, found.end)


def sentence(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """Part of the words of a sentence, for its passage.

    The inverse cloze task (Lee et al. 2019) takes the sentence out of the passage instead. That
    would make a passage of its own for each pair, and encoding passages is the expensive part.
    Words left out keep the query from being a copy.
    """
    for found in _shuffled(chunk, random):
        words = context.vocabulary.words(found.text)
        kept = [word.written for word in words if random.random() < KEPT]
        if len(kept) >= 3:
            yield Draft.of(" ".join(kept), chunk, found.start, found.end)


def keywords(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """Two to five of the passage's weightiest words (tf-idf), as typed into a search box."""
    weights: dict[str, float] = {}
    written: dict[str, str] = {}
    for word in context.vocabulary.words(f"{chunk.leaf}\n{chunk.text}"):
        weights[word.stem] = weights.get(word.stem, 0.0) + word.idf
        written.setdefault(word.stem, word.written)
    best = sorted(weights, key=lambda stem: (-weights[stem], stem))[:10]
    for _ in range(len(best) // 2):
        chosen = set(random.sample(best, min(len(best), random.randint(2, 5))))
        yield Draft.of(" ".join(written[stem] for stem in written if stem in chosen), chunk)


def _shuffled(chunk: ChunkRow, random: Random) -> list[Sentence]:
    found = list(sentences(chunk.text, chunk.language))
    random.shuffle(found)
    return found
