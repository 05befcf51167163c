"""What the rules of several languages need of words."""

from __future__ import annotations

import re
from collections.abc import Collection

LONGEST = 14  # words of a question
# Words up to the next mark; a comma or point within a number is none.
PHRASE = r"(?:[^,;:.()]|(?<=\d)[,.](?=\d))+"


def is_name(subject: str) -> bool:
    """Is it short enough for the subject of a question?"""
    return 1 <= len(subject.split()) <= 7


def clipped(text: str, dangling: Collection[str]) -> str:
    """The start of `text`, up to a comma or bracket, that ends on none of the words `dangling`."""
    words = re.split(r",(?!\d)|\s[(\[]", text)[0].split()[: LONGEST - 4]
    while words and words[-1].lower() in dangling:
        words.pop()
    return " ".join(words)


def telling(statement: str, found: re.Match[str]) -> list[str]:
    """The longer words before and after a number, which say what is counted."""
    around = [*statement[: found.start()].split()[-8:], *statement[found.end() :].split()[:5]]
    return [word.strip("(),") for word in around if len(word) > 3 or word.isupper()]


def lower(text: str) -> str:
    """`text` with a small first letter, unless its first word is an abbreviation or a code."""
    first = text.split()[0]
    return (
        text
        if any(letter.isupper() or letter.isdigit() for letter in first[1:])
        else text[0].lower() + text[1:]
    )


def upper(text: str) -> str:
    """`text` with a capital first letter."""
    return text[0].upper() + text[1:]
