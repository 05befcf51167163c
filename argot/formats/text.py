"""Markdown and plain text, in any encoding that can be told."""

from __future__ import annotations

import codecs
import datetime
import math
import re
import unicodedata
from typing import Any

import yaml

from argot.formats import Parsed, UnreadableError

FRONT = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
# Control characters that no text holds but tab and newline.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BREAK = re.compile("\r\n?|\u2028")
PAGE = re.compile("\f|\u2029")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffe\uffff]")


def decode(data: bytes) -> str:
    """The text of `data`: UTF-8, else UTF-16/32 with a mark, else what charset-normalizer tells."""
    for mark, name in MARKS:
        if data.startswith(mark):
            try:
                return data.decode(name)
            except UnicodeDecodeError:
                raise UnreadableError(f"broken {name}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _guess(data)
    if text.count("\0") > len(text) // 1000:
        raise UnreadableError("binary of unknown kind")
    return text


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise UnreadableError("binary of unknown kind or unknown encoding")
    return str(best)


def clean(text: str) -> str:
    """Newlines as one character, no control characters, characters composed (NFC)."""
    return unicodedata.normalize("NFC", CONTROL.sub("", BREAK.sub("\n", PAGE.sub("\n\n", text))))


def read_markdown(data: bytes) -> Parsed:
    """Markdown as it stands; its YAML front matter becomes metadata, and its `title` the title."""
    text = clean(decode(data))
    match = FRONT.match(text)
    metadata = _front(match[1]) if match else None
    if match is None or metadata is None:
        return Parsed("markdown", text)
    return Parsed("markdown", text[match.end() :], str(metadata.get("title") or ""), metadata)


def read_text(data: bytes) -> Parsed:
    """Plain text."""
    return Parsed("text", clean(decode(data)))


def _front(block: str) -> dict[str, Any] | None:
    """Front matter as a JSON object; None where it is no mapping, and so no front matter."""
    try:
        value = yaml.safe_load(block)
    except yaml.YAMLError:
        return None
    return {str(key): _json(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_json(inner) for inner in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
