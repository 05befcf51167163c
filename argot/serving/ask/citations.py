"""The form of an answer, and its check: does each claim quote a passage that holds the words?

One claim a line, followed by its citations: `Seals weeping more are replaced. [2 "is replaced"]`
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from argot.documents.words import UNSPACED

NOT_ANSWERED = "The documents don't tell."
CITATION = re.compile(r"\[(\d+)\s*:?\s*[\"“”](.+?)[\"“”]\s*\]", re.DOTALL)
# A number alone, [2], names a passage but quotes nothing of it, so it supports nothing.
BARE = re.compile(r"\[(\d+)\]")
BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
LEFT_OUT = re.compile(r"\s*(?:\.\.\.|…|\[…\])\s*")
# The fewest letters and digits that a quote may have: one letter stands in any passage.
LEAST = 3
LETTER = rf"[^\W_{UNSPACED}]"  # next to another one, it is in the same word
LOOKALIKES = str.maketrans("‘’“”–—‹›", "''\"\"--<>")


@dataclass(frozen=True)
class Citation:
    """A passage's number and words quoted from it; `problem` says why the quote is wrong, if so."""

    number: int
    quote: str
    problem: str


@dataclass(frozen=True)
class Claim:
    """One claim of an answer with its citations."""

    text: str
    citations: tuple[Citation, ...]

    @property
    def supported(self) -> bool:
        """Has it a citation, and no wrong one?"""
        return bool(self.citations) and not any(citation.problem for citation in self.citations)


def claims_of(answer: str, passages: Sequence[str]) -> list[Claim]:
    """The claims of an answer, checked against the passages as sent, of which the first is 1."""
    lines = [BULLET.sub("", line).strip() for line in _whole(answer).splitlines()]
    return [_claim(line, passages) for line in lines if line and line != NOT_ANSWERED]


def _whole(answer: str) -> str:
    """The answer without line breaks inside citations, so that each line is one claim."""
    return CITATION.sub(lambda match: " ".join(match.group().split()), answer)


def _claim(line: str, passages: Sequence[str]) -> Claim:
    quoted = [_checked(int(number), quote, passages) for number, quote in CITATION.findall(line)]
    rest = CITATION.sub("", line)
    bare = [Citation(int(number), "", "quotes nothing") for number in BARE.findall(rest)]
    return Claim(re.sub(r"\s+([.!?,;])", r"\1", BARE.sub("", rest)).strip(), (*quoted, *bare))


def _checked(number: int, quote: str, passages: Sequence[str]) -> Citation:
    if not 1 <= number <= len(passages):
        return Citation(number, quote, f"there is no passage {number}")
    text, at = plain(passages[number - 1]), 0
    # The parts of a quote with "..." in it must follow one another in the passage.
    for part in filter(None, map(plain, LEFT_OUT.split(quote))):
        found = _whole_words(part).search(text, at)
        if not found:
            return Citation(number, quote, f"passage {number} doesn't hold these words")
        at = found.end()
    letters = sum(map(str.isalnum, quote))
    problem = "quotes too little" if letters else "quotes nothing"
    return Citation(number, quote, problem if letters < LEAST else "")


def _whole_words(part: str) -> re.Pattern[str]:
    """A pattern for these words, which does not match where they are inside of longer ones."""
    before = f"(?<!{LETTER})" if re.match(LETTER, part[0]) else ""
    after = f"(?!{LETTER})" if re.match(LETTER, part[-1]) else ""
    return re.compile(f"{before}{re.escape(part)}{after}")


def plain(text: str) -> str:
    """Text as quotes are compared: lower case, one kind of quote, dash and space, no emphasis."""
    text = unicodedata.normalize("NFKC", text).translate(LOOKALIKES)
    return " ".join(re.sub(r"[*_`]", "", text).casefold().split())
