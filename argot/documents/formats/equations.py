"""Equations of Office (OMML) as plain letters: F = m a, (230 kN)/1.5, x^2, a_1, √(x)."""

from __future__ import annotations

from typing import Any

from argot.documents.formats.office import NAMES, named

# Children of an element that hold no letters, but how they look.
LOOKS = ("Pr", "sty", "ctrlPr")


def linear(element: Any) -> str:
    """An equation, or part of one, in one line."""
    name = element.tag.rsplit("}", 1)[-1]
    if name == "t":
        return element.text or ""
    if name.endswith(LOOKS):
        return ""
    rule = RULES.get(name)
    return rule(element) if rule else "".join(linear(child) for child in element)


def _child(element: Any, name: str) -> str:
    found = element.find(named(f"m:{name}"))
    return " ".join(linear(found).split()) if found is not None else ""


def _grouped(text: str) -> str:
    """The text, in brackets unless it is one number or name."""
    return (
        text
        if text.replace(".", "").isalnum() or (text[:1] == "(" and text[-1:] == ")")
        else f"({text})"
    )


def _look(element: Any, path: str, default: str) -> str:
    found = element.xpath(f"{path}/@m:val", namespaces=NAMES)
    return found[0] if found else default


def _fraction(element: Any) -> str:
    above, below = _child(element, "num"), _child(element, "den")
    # A number with its unit needs no brackets before the bar.
    simple = all(part.replace(".", "").isalnum() for part in above.split())
    return f"{above if simple else _grouped(above)}/{_grouped(below)}"


def _raised(element: Any) -> str:
    return _child(element, "e") + _limits(element)


def _root(element: Any) -> str:
    degree = _child(element, "deg")
    return f"{degree}√({_child(element, 'e')})"


def _sum(element: Any) -> str:
    sign = _look(element, "m:naryPr/m:chr", "∫")
    return f"{sign}{_limits(element)} {_child(element, 'e')}"


def _limits(element: Any) -> str:
    lower, upper = _child(element, "sub"), _child(element, "sup")
    return (f"_{_grouped(lower)}" if lower else "") + (f"^{_grouped(upper)}" if upper else "")


def _bracketed(element: Any) -> str:
    opening, closing = _look(element, "m:dPr/m:begChr", "("), _look(element, "m:dPr/m:endChr", ")")
    separator = _look(element, "m:dPr/m:sepChr", "|")
    return (
        opening + separator.join(linear(part) for part in element.findall(named("m:e"))) + closing
    )


def _function(element: Any) -> str:
    return f"{_child(element, 'fName')} {_child(element, 'e')}"


def _limit(element: Any) -> str:
    return f"{_child(element, 'e')}_{_grouped(_child(element, 'lim'))}"


def _matrix(element: Any) -> str:
    rows = [[linear(cell) for cell in row] for row in element.findall(named("m:mr"))]
    return "[" + "; ".join(", ".join(row) for row in rows) + "]"


RULES = {
    "f": _fraction,
    "sSup": _raised,
    "sSub": _raised,
    "sSubSup": _raised,
    "rad": _root,
    "nary": _sum,
    "d": _bracketed,
    "func": _function,
    "limLow": _limit,
    "limUpp": _limit,
    "m": _matrix,
}
