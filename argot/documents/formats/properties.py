"""What programs write into a file by themselves, and people do not mean: titles and authors."""

from __future__ import annotations

import datetime
import re
from typing import Any

DEFAULT_TITLE = re.compile(
    r"(?:(?:untitled|unbenannt|sans titre|senza titolo|sin título|no title|new)[ -]?)?"
    r"(?:do[ck]ument|presentation|slide|folie|(?:work)?book|mappe|sheet|tabelle|page|seite)?"
    r"[ -]?\d*"
    r"|(?:powerpoint|google slides)[ -]presentation|powerpoint-präsentation"
    r"|présentation powerpoint|microsoft (?:word|excel|powerpoint)(?: - .*)?"
    r"|\(?anonymous\)?|title|unspecified"
    r"|\S+\.(?:docx?|pptx?|xlsx?|pdf|html?|md|tex|dvi|indd|qxd)",
    re.IGNORECASE,
)
DEFAULT_AUTHOR = re.compile(
    r"anonymous|unspecified|unknown|author|user|admin|administrator|owner"
    r"|python-docx|openpyxl|steve canny",
    re.IGNORECASE,
)


def is_default_title(title: str) -> bool:
    """Whether a program gave this title, as to a document that nobody named; or a file's name."""
    return bool(DEFAULT_TITLE.fullmatch(title))


def properties(author: str | None, date: datetime.date | None) -> dict[str, Any]:
    """Metadata for filters: `author`, and `date` as YYYY-MM-DD; what isn't known has no key."""
    name = " ".join((author or "").split())
    found = {
        "author": "" if DEFAULT_AUTHOR.fullmatch(name) else name,
        "date": f"{date:%Y-%m-%d}" if date else "",
    }
    return {key: value for key, value in found.items() if value}


def day(text: str) -> datetime.date | None:
    """The day of a date as XML has it, with or without a time; None for other text."""
    try:
        return datetime.date.fromisoformat(text[:10])
    except ValueError:
        return None
