"""The styles of a Word file, as far as they decide headings and lists (ECMA-376, 17.7)."""

from __future__ import annotations

from typing import Any

from argot.documents.formats.office import NAMES, named

# Styles may build on one another; a file may make a ring of them.
DEEPEST = 20
DEFAULT_SIZE = 20  # in halves of a point


class Styles:
    """Properties of paragraphs: their own, else their style's, else those of what it builds on."""

    def __init__(self, root: Any | None) -> None:
        styles = root.findall(named("w:style")) if root is not None else []
        self._styles = {style.get(named("w:styleId")): style for style in styles}
        paragraphs = [style for style in styles if style.get(named("w:type")) == "paragraph"]
        default = [
            style.get(named("w:styleId")) for style in paragraphs if style.get(named("w:default"))
        ]
        self._default = default[0] if default else ""
        path = "w:docDefaults/w:rPrDefault/w:rPr/w:sz/@w:val"
        sizes = root.xpath(path, namespaces=NAMES) if root is not None else []
        self._size = float(sizes[0]) if sizes else DEFAULT_SIZE

    def of(self, paragraph: Any) -> str:
        """The id of a paragraph's style."""
        found = paragraph.xpath("w:pPr/w:pStyle/@w:val", namespaces=NAMES)
        return str(found[0]) if found else self._default

    def name(self, style: str) -> str:
        """The name of a style in lower case; "heading 1" is so in every language of Word."""
        if style not in self._styles:
            return ""
        found = self._styles[style].xpath("w:name/@w:val", namespaces=NAMES)
        return str(found[0]).lower() if found else ""

    def first(self, style: str, path: str) -> Any | None:
        """What is at `path` in a style, else in the nearest one that it builds on; else None."""
        for _ in range(DEEPEST):
            if style not in self._styles:
                return None
            found = self._styles[style].xpath(path, namespaces=NAMES)
            if found:
                return found[0]
            base = self._styles[style].xpath("w:basedOn/@w:val", namespaces=NAMES)
            style = base[0] if base else ""
        return None

    def list_of(self, paragraph: Any) -> tuple[str, int | None]:
        """The id of a paragraph's list, empty if it is in none, and its level there, if any."""
        style = self.of(paragraph)
        own = paragraph.xpath("w:pPr/w:numPr/w:numId/@w:val", namespaces=NAMES)
        place = paragraph.xpath("w:pPr/w:numPr/w:ilvl/@w:val", namespaces=NAMES)
        number = own[0] if own else self.first(style, "w:pPr/w:numPr/w:numId/@w:val")
        if place:
            level = place[0]
        else:
            level = "0" if own else self.first(style, "w:pPr/w:numPr/w:ilvl/@w:val")
        listed = "" if number in (None, "0") else str(number)
        return listed, None if level is None else int(level)

    def outline(self, paragraph: Any) -> int | None:
        """The level of a heading, 1 to 9, by its outline; None for text."""
        own = paragraph.xpath("w:pPr/w:outlineLvl/@w:val", namespaces=NAMES)
        level = own[0] if own else self.first(self.of(paragraph), "w:pPr/w:outlineLvl/@w:val")
        return int(level) + 1 if level is not None and int(level) < 9 else None

    def letters(self, run: Any, style: str) -> tuple[float, bool]:
        """Size, in halves of a point, and weight of a run's letters."""
        own = run.xpath("w:rPr/w:sz/@w:val", namespaces=NAMES)
        size = own[0] if own else self.first(style, "w:rPr/w:sz/@w:val")
        character = run.xpath("w:rPr/w:rStyle/@w:val", namespaces=NAMES)
        weights = [*run.xpath("w:rPr/w:b", namespaces=NAMES)]
        weights += [self.first(base, "w:rPr/w:b") for base in (*character, style)]
        bold = next((_is_on(weight) for weight in weights if weight is not None), False)
        return float(size) if size is not None else self._size, bold


def _is_on(switch: Any) -> bool:
    """A switch without a value is on."""
    return switch.get(named("w:val"), "1") not in ("0", "false", "off")
