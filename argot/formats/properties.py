"""What office programs write into a file about it: title, author and date, without what they fill in by themselves."""

from __future__ import annotations

import datetime
import re
from typing import Any

# Titles that programs give, and names of files.
DEFAULT_TITLE = re.compile(
    r"untitled.*|unbenannt.*|\(?anonymous\)?|(?:microsoft )?(?:power ?point|word|excel)\b.*|presentation\d*|dokument\d*"
    r"|document\d*|slide \d+|(?:book|mappe|workbook)\d*|title|unspecified"
    r"|\S+\.(?:docx?|pptx?|xlsx?|pdf|html?|md|tex|dvi|indd|qxd)",
    re.IGNORECASE,
)
DEFAULT_AUTHOR = re.compile(
    r"anonymous|unspecified|unknown|author|user|admin|administrator|owner|python-docx|openpyxl|steve canny",
    re.IGNORECASE,
)


def title(text: str | None) -> str:
    """The title of a document; empty if it is one that programs fill in."""
    words = " ".join((text or "").split())
    return "" if DEFAULT_TITLE.fullmatch(words) else words


def properties(author: str | None, date: datetime.date | None) -> dict[str, Any]:
    """Metadata for filters: `author`, and `date` as YYYY-MM-DD; what isn't known has no key."""
    name = " ".join((author or "").split())
    found = {"author": "" if DEFAULT_AUTHOR.fullmatch(name) else name, "date": f"{date:%Y-%m-%d}" if date else ""}
    return {key: value for key, value in found.items() if value}
