"""Queries from headings: a topic for its section, or a question that is answered below it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from argot.queries.draft import Context, Draft
from argot.queries.prose import plain
from argot.queries.rephrasing import GRAMMARS
from argot.tables.chunks import ChunkRow

NUMBER = re.compile(
    r"^(?:(?:step|schritt|étape|paso)\s+)?\d+(?:\.\d+)*[.):]?\s+|^[a-z][.)]\s+", re.IGNORECASE
)
# A heading that so many documents share ("Overview", "See also") says nothing of its section.
COMMON = 0.05


def heading(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """The heading itself, with the title before it where other documents have the same heading."""
    topic = _topic(chunk, context)
    if topic and not topic.endswith("?"):
        yield Draft.of(topic, chunk, end=0)


def faq(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """A heading that is a question, for the first passage of its answer."""
    topic = _topic(chunk, context)
    if topic.endswith("?"):
        yield Draft.of(topic, chunk, end=0)


def question(chunk: ChunkRow, context: Context, random: Random) -> Iterator[Draft]:
    """The heading as people ask for it: "Creating a role" as "How do I create a role?"."""
    topic = _topic(chunk, context)
    if chunk.language in GRAMMARS and topic and not topic.endswith("?"):
        forms = list(GRAMMARS[chunk.language].of_topic(topic, context.vocabulary.written))
        random.shuffle(forms)
        for form in forms:
            yield Draft.of(form, chunk, end=0)


def _topic(chunk: ChunkRow, context: Context) -> str:
    if not chunk.heading or not context.opens_section(chunk):
        return ""
    leaf, title = _bare(chunk.leaf), _bare(chunk.title)
    shared = context.leaves[chunk.leaf.lower()]
    if shared >= max(3, COMMON * context.document_count):
        return title
    lonely = len(context.vocabulary.stems(leaf)) < 2
    return f"{title}: {leaf}" if title and leaf != title and (shared > 1 or lonely) else leaf


def _bare(heading: str) -> str:
    # Without its number, and without the site's name that pages carry behind a bar.
    return NUMBER.sub("", plain(heading)).split(" | ")[0].rstrip(" .:")
