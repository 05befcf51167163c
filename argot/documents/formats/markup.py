"""Markdown as it is, with its front matter as metadata."""

from __future__ import annotations

import datetime
import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.text import clean, decode
from argot.documents.markdown import blocks

FRONT = re.compile(r"\A\s*^---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
MOST_VALUES = 10_000


def read_markdown(data: bytes) -> Parsed:
    """Markdown; a `title` in its front matter is the title."""
    text = clean(decode(data))
    match = FRONT.match(text)
    metadata = _front(match[1]) if match else None
    if match is None or metadata is None:
        return Parsed("markdown", without_comments(text))
    return Parsed(
        "markdown",
        without_comments(text[match.end() :]),
        str(metadata.get("title") or ""),
        metadata,
    )


def without_comments(text: str) -> str:
    """Markdown without the comments between its blocks, which no reader sees."""
    kept, start = [], 0
    for block in blocks(text) if "<!--" in text else ():
        if block.kind == "comment":
            kept.append(text[start : block.start])
            start = block.end
    return "".join([*kept, text[start:]])


def _front(block: str) -> dict[str, Any] | None:
    """Front matter as a JSON object; None where it is no mapping, and so no front matter."""
    try:
        value = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError):
        return None
    return as_json(value) if isinstance(value, dict) else None


def as_json(value: Any) -> Any:
    """The nearest value that JSON has: dates become ISO 8601, infinite numbers null.

    UnreadableError where YAML's aliases unfold to more than MOST_VALUES.
    """
    return _as_json(value, itertools.count())


def _as_json(value: Any, seen: Iterator[int]) -> Any:
    if next(seen) > MOST_VALUES:
        raise UnreadableError(f"its front matter holds more than {MOST_VALUES} values")
    if isinstance(value, dict):
        return {str(key): _as_json(inner, seen) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_as_json(inner, seen) for inner in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
