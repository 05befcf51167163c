"""Text that UTF-8 can encode: JSON may hold half of a surrogate pair, which is no character."""

from __future__ import annotations


def encodable(text: str) -> str:
    """The text with "?" for each half of a surrogate pair: tokenizers and files refuse them."""
    return text.encode(errors="replace").decode()
