"""Queries as people type them: with a greeting or thanks, in lower case, with a typing error.

Words around a question move a small model's vector without saying anything. A model that is trained
on such queries, with the teacher's ranking of the plain ones, learns to ignore them.
"""

from __future__ import annotations

import re

import numpy as np

WRAPPERS = (
    "hi, {}",
    "hello, I need help with this: {}",
    "{} thanks",
    "{} please",
    "quick question: {}",
    "I have a question about this, {}",
    "can someone tell me: {}",
    "sorry if this was asked before, {}",
    "I can't find it anywhere. {}",
    "{} any help is appreciated",
    "I was told to ask here: {}",
    "not sure who to ask. {}",
    "so {}",
    "I'm trying to find out {}",
    "{} I need to know this today",
    "what I would like to know is {}",
)
END = re.compile(r"[.?!]+$")
WORD = re.compile(r"[^\W\d_]{5,}")
SMALL, BARE, SLIP = 0.5, 0.5, 0.3


def noisy(query: str, english: bool, random: np.random.Generator) -> str:
    """The query as somebody might type it; English ones get words around them."""
    if random.random() < BARE:
        query = END.sub("", query)
    if random.random() < SLIP:
        query = _slip(query, random)
    if english:
        query = WRAPPERS[random.integers(len(WRAPPERS))].format(query)
    return query.lower() if random.random() < SMALL else query


def _slip(query: str, random: np.random.Generator) -> str:
    """Two neighbouring letters of a word change places, but not its first one."""
    words = list(WORD.finditer(query))
    if not words:
        return query
    word = words[random.integers(len(words))]
    at = word.start() + random.integers(1, len(word.group()) - 1)
    return query[:at] + query[at + 1] + query[at] + query[at + 2 :]
