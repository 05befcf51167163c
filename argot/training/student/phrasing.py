"""Queries as people type them: with a greeting or a thank-you, in small letters, with a slip of the finger.

What stands around a question moves a small model's vector, and tells nothing. Trained on queries put so, with the
teacher's ranking of the plain ones, the model learns to look past it.
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


def typed(query: str, english: bool, random: np.random.Generator) -> str:
    """The query as somebody might type it; words are put around it where it is English."""
    if random.random() < BARE:
        query = END.sub("", query)
    if random.random() < SLIP:
        query = _slip(query, random)
    if english:
        query = WRAPPERS[random.integers(len(WRAPPERS))].format(query)
    return query.lower() if random.random() < SMALL else query


def _slip(query: str, random: np.random.Generator) -> str:
    """Two letters of a word change places, its first one apart."""
    words = list(WORD.finditer(query))
    if not words:
        return query
    word = words[random.integers(len(words))]
    at = word.start() + random.integers(1, len(word.group()) - 1)
    return query[:at] + query[at + 1] + query[at] + query[at + 2 :]
