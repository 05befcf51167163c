"""Queries from other passages: the one before, or one like it in another document."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random

from argot.queries.draft import Context, Draft, QuerySource
from argot.queries.prose import sentences
from argot.tables.chunks import ChunkRow

CANDIDATES = 20


def adjacent(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """The last sentence of the passage before, in the same section: what it leads to."""
    before = context.neighbour(chunk, -1)
    if before is None or before.heading != chunk.heading:
        return
    shared = context.vocabulary.stems(chunk.text)
    for found in reversed(list(sentences(before.text, before.language))[-2:]):
        # Without two words in common the sentence leads elsewhere.
        if len(context.vocabulary.stems(found.text) & shared) >= 2:
            yield Draft.of(found.text, before, found.start, found.end)._replace(chunk=chunk.id)


def partner(threshold: float) -> QuerySource:
    """Sentences of a passage, for the passage of another document that BM25 finds nearest.

    The partner must score at least `threshold` of what the sentence scores in its own passage.
    """
    return partial(_partner, threshold=threshold)


def _partner(
    chunk: ChunkRow, context: Context, random: Random, threshold: float
) -> Iterator[Draft]:
    found = list(sentences(chunk.text, chunk.language, shortest=8))
    random.shuffle(found)
    for sentence in found[:3]:
        scores = context.bm25.scores(sentence.text)
        own = float(scores[context.places[chunk.id]])
        hits = context.bm25.search([sentence.text], CANDIDATES).positions[0]
        others = (context.chunks[place] for place in hits if place >= 0)
        best = next((other for other in others if other.group != chunk.group), None)
        if best and float(scores[context.places[best.id]]) >= threshold * own > 0:
            yield Draft.of(sentence.text, chunk, sentence.start, sentence.end)._replace(
                chunk=best.id
            )
