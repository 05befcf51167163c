"""Headings of a Word file by their outline level, or by their letters where none has a level."""

from __future__ import annotations

from collections import Counter
from typing import Any

from argot.documents.formats.office import named
from argot.documents.formats.word_styles import Styles

# Style that marks a heading, with its level after it.
HEADING = "ArgotHeading"
DEEPEST, LONGEST, LARGER = 6, 14, 1.15


def mark_headings(document: Any, styles: Styles, numbered: set[Any]) -> None:
    """Give each heading the style of its level.

    In a document without styles of headings, bold or large lines are headings.
    """
    paragraphs = [*document.iter(named("w:p"))]
    levels = {
        paragraph: level
        for paragraph in paragraphs
        if (level := styles.outline(paragraph)) is not None
    }
    named_so = any(
        styles.name(styles.of(paragraph)).startswith("heading ") for paragraph in paragraphs
    )
    if not levels and not named_so:
        levels = _by_letters(paragraphs, styles, numbered)
    for paragraph, level in levels.items():
        properties = paragraph.find(named("w:pPr"))
        if properties is None:
            properties = paragraph.makeelement(named("w:pPr"))
            paragraph.insert(0, properties)
        for old in properties.findall(named("w:pStyle")):
            properties.remove(old)
        # A heading needs no weight of its own.
        for weight in [*paragraph.iter(named("w:b"))]:
            weight.getparent().remove(weight)
        value = {named("w:val"): f"{HEADING}{min(level, DEEPEST)}"}
        properties.insert(0, properties.makeelement(named("w:pStyle"), value))


def _by_letters(paragraphs: list[Any], styles: Styles, numbered: set[Any]) -> dict[Any, int]:
    """Short paragraphs in bold or in larger letters than most; the largest have level 1."""
    letters: Counter[float] = Counter()
    looks: dict[Any, tuple[float, bool]] = {}
    for paragraph in paragraphs:
        style = styles.of(paragraph)
        runs = [
            (styles.letters(run, style), "".join(run.itertext(named("w:t"))))
            for run in paragraph.iter(named("w:r"))
        ]
        runs = [(look, text) for look, text in runs if text.strip()]
        for (size, _), text in runs:
            letters[size] += len(text)
        text = "".join(text for _, text in runs).strip()
        in_list = bool(styles.list_of(paragraph)[0]) and paragraph not in numbered
        alone = paragraph.getparent().tag == named("w:body") and styles.name(style) not in (
            "title",
            "subtitle",
        )
        short = 0 < len(text.split()) <= LONGEST and text[-1] not in ".,;:"
        if alone and short and not in_list and any(map(str.isalpha, text)):
            looks[paragraph] = (
                min(size for (size, _), _ in runs),
                all(bold for (_, bold), _ in runs),
            )
    body = max(letters, key=lambda size: (letters[size], -size), default=0.0)
    found = {
        key: look
        for key, look in looks.items()
        if look[0] >= LARGER * body or (look[1] and look[0] >= body)
    }
    ranks = {
        look: rank for rank, look in enumerate(sorted(set(found.values()), reverse=True), start=1)
    }
    return {paragraph: ranks[look] for paragraph, look in found.items()}
