"""Queries from questions and answers, problems and resolutions that are labelled in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from argot.queries.draft import Context, Draft
from argot.queries.prose import plain
from argot.tables.chunks import ChunkRow

LINE = r"(?im)^[ \t>*_#|+-]*(?:{})\b[ \t*_]*[:.)|-][ \t*_]*(?P<said>\S.{{9,400}})$"
ASKED = re.compile(
    LINE.format(
        "q|question|frage|problem|issue|symptom|summary|reported|error|fault|incident|complaint"
        "|ticket"
    )
)
ANSWERED = re.compile(
    LINE.format(
        "a|answer|antwort|resolution|solution|fix|resolved|workaround|cause|action taken|lösung"
    )
)
# "**Can I pay later?**" on a line of its own, answered by the next one.
BOLD = re.compile(
    r"(?m)^[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?"
    r"(?:\*\*|__)(?P<said>[^*_\n]{10,300}\?)(?:\*\*|__)[ \t]*$"
)


def dialogue(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """A labelled question or problem, for the passage with its answer: its own, or the next."""
    for found in [*ASKED.finditer(chunk.text), *BOLD.finditer(chunk.text)]:
        holder = _answering(chunk, found, context)
        query = plain(found["said"])
        if holder and len(query.split()) >= 3:
            made = Draft.of(query, chunk, found.start("said"), found.end("said"))
            yield made._replace(chunk=holder.id)


def _answering(chunk: ChunkRow, found: re.Match[str], context: Context) -> ChunkRow | None:
    rest = chunk.text[found.end() :]
    if found.re is BOLD and len(rest.split()) >= 5:
        return chunk
    if ANSWERED.search(rest):
        return chunk
    after = context.neighbour(chunk, 1)
    return after if after and ANSWERED.search(after.text) and not ASKED.search(rest) else None
