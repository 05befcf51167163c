"""Markdown as it stands, with its front matter as metadata."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import yaml

from argot.documents.formats import Parsed
from argot.documents.formats.text import clean, decode

FRONT = re.compile(r"\A\s*^---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)


def read_markdown(data: bytes) -> Parsed:
    """Markdown; a `title` in its front matter is the title."""
    text = clean(decode(data))
    match = FRONT.match(text)
    metadata = _front(match[1]) if match else None
    if match is None or metadata is None:
        return Parsed("markdown", text)
    return Parsed("markdown", text[match.end() :], str(metadata.get("title") or ""), metadata)


def _front(block: str) -> dict[str, Any] | None:
    """Front matter as a JSON object; None where it is no mapping, and so no front matter."""
    try:
        value = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError):
        return None
    return (
        {str(key): as_json(inner) for key, inner in value.items()}
        if isinstance(value, dict)
        else None
    )


def as_json(value: Any) -> Any:
    """The nearest that JSON can say: dates as ISO 8601, no infinite numbers."""
    if isinstance(value, dict):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(inner) for inner in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
