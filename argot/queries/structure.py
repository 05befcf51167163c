"""Queries from questions and answers, problems and resolutions that are labelled in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from argot.queries.draft import Context, Draft
from argot.queries.prose import plain
from argot.tables.chunks import ChunkRow

LINE = r"(?im)^[ \t>*_#|+-]*(?:{})\b[ \t*_]*[:.)|-][ \t*_]*(?P<said>\S.{{9,400}})$"
QUESTIONS = (
    "q|question|frage|problem|issue|symptom|summary|reported|error|fault|incident|complaint|ticket"
)
ANSWERS = "a|answer|antwort|resolution|solution|fix|resolved|workaround|cause|action taken|lösung"
# What texts of a language label questions and answers with, besides.
OWN = {
    "de": ("f|störung|fehler|meldung|anfrage", "ursache|behebung|abhilfe|maßnahme"),
    "es": ("p|pregunta|problema|síntoma|incidencia", "r|respuesta|solución|causa|medida"),
    "fr": ("problème|symptôme|panne|anomalie|demande", "r|réponse|résolution|remède|mesure"),
}
PLAIN = (re.compile(LINE.format(QUESTIONS)), re.compile(LINE.format(ANSWERS)))
LABELS = {
    language: tuple(
        re.compile(LINE.format(f"{known}|{own}"))
        for known, own in zip((QUESTIONS, ANSWERS), labels, strict=True)
    )
    for language, labels in OWN.items()
}
# "**Can I pay later?**" on a line of its own, answered by the next one.
BOLD = re.compile(
    r"(?m)^[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?"
    r"(?:\*\*|__)(?P<said>[^*_\n]{10,300}\?)(?:\*\*|__)[ \t]*$"
)


def dialogue(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """A labelled question or problem, for the passage with its answer: its own, or the next."""
    asked, _ = LABELS.get(chunk.language, PLAIN)
    for found in [*asked.finditer(chunk.text), *BOLD.finditer(chunk.text)]:
        holder = _answering(chunk, found, context)
        query = plain(found["said"])
        if holder and len(query.split()) >= 3:
            made = Draft.of(query, chunk, found.start("said"), found.end("said"))
            yield made._replace(chunk=holder.id)


def _answering(chunk: ChunkRow, found: re.Match[str], context: Context) -> ChunkRow | None:
    asked, answered = LABELS.get(chunk.language, PLAIN)
    rest = chunk.text[found.end() :]
    if found.re is BOLD and len(rest.split()) >= 5:
        return chunk
    if answered.search(rest):
        return chunk
    after = context.neighbour(chunk, 1)
    return after if after and answered.search(after.text) and not asked.search(rest) else None
