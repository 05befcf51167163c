"""The text of a chunk as it is embedded: its heading path, then its text."""

from __future__ import annotations


def passage(heading: str, text: str) -> str:
    """Heading path and text on lines of their own; the same at training, indexing and search."""
    return f"{heading}\n{text}" if heading else text
