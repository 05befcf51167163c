"""Abbreviations and their long forms, as documents introduce them: "verified gross mass (VGM)".

Schwartz and Hearst, A Simple Algorithm for Identifying Abbreviation Definitions in Biomedical Text,
PSB 2003.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

BRACKETS = re.compile(r"\(([^()\n]{2,60})\)")
SHORT = re.compile(r"(?=[^\W_]*[A-Z][^\W_]*[A-Z])[^\W_][\w./&-]{1,9}")
LAST_WORD = re.compile(r"[^\W_][\w./&-]{1,9}$")


def abbreviations(texts: Iterable[str]) -> dict[str, str]:
    """Each abbreviation with its commonest long form, in lower case; on a tie the first by name."""
    found: dict[str, Counter[str]] = {}
    for text in texts:
        for short, long in definitions(text):
            found.setdefault(short, Counter())[long.lower()] += 1
    return {
        short: min(forms, key=lambda form: (-forms[form], form))
        for short, forms in sorted(found.items())
    }


class Aliases:
    """Abbreviations and long forms, each of which may take the other's place."""

    def __init__(self, long_forms: Mapping[str, str]) -> None:
        self.long_forms = long_forms
        self.shorts = {long: short for short, long in reversed(list(long_forms.items()))}
        self._short, self._long = _any_of(long_forms, 0), _any_of(self.shorts, re.IGNORECASE)

    def swapped(self, text: str) -> str:
        """The text with its abbreviations written out, or else its long forms abbreviated."""
        written = self._short.sub(lambda match: self.long_forms[match[0]], text)
        if written != text:
            return written
        # Without case, patterns match more than lower() equates, such as ſ and s: those stay.
        return self._long.sub(lambda match: self.shorts.get(match[0].lower(), match[0]), text)


def _any_of(names: Iterable[str], flags: int) -> re.Pattern[str]:
    """A pattern for whole names; where one begins with another, the longer one matches."""
    choices = "|".join(map(re.escape, sorted(names, key=lambda name: (-len(name), name))))
    return re.compile(rf"(?<!\w)(?:{choices})(?!\w)" if choices else r"(?!)", flags)


def definitions(text: str) -> Iterator[tuple[str, str]]:
    """Every abbreviation that the text introduces, as long (SHORT) or SHORT (long)."""
    for match in BRACKETS.finditer(text):
        inside = match[1].strip()
        before = text[max(0, match.start() - 120) : match.start()].rstrip()
        if SHORT.fullmatch(inside):
            words = before.split("\n")[-1].split()[-_most_words(inside) :]
            if long := long_form(inside, " ".join(words)):
                yield inside, long
        elif (short := _last_abbreviation(before)) and long_form(short, inside) == inside:
            yield short, inside


def _last_abbreviation(text: str) -> str:
    """The last word of a text if it is an abbreviation, else ""."""
    last = LAST_WORD.search(text)
    return last[0] if last and SHORT.fullmatch(last[0]) else ""


def long_form(short: str, text: str) -> str:
    """The shortest end of `text` that holds the letters of `short` in their order, or "".

    The first letter must begin a word.
    """
    at = len(text)
    letters = [letter for letter in short.lower() if letter.isalnum()]
    # Letter by letter: İ becomes two letters in lower case, and would move all places after it.
    lower = "".join(letter.lower()[0] for letter in text)
    for place in range(len(letters) - 1, -1, -1):
        at = lower.rfind(letters[place], 0, at)
        while place == 0 and at > 0 and lower[at - 1].isalnum():
            at = lower.rfind(letters[place], 0, at)
        if at < 0:
            return ""
    long = text[at:].strip(" *_\"'`")
    words = long.split()
    fits = 2 <= len(words) <= _most_words(short) and short not in words
    return long if fits else ""


def _most_words(short: str) -> int:
    """How many words a long form may have, by the abbreviation's letters."""
    return min(len(short) + 5, 2 * len(short))
