"""Readers of documents: the bytes of a file become Markdown. One module per family."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class UnreadableError(Exception):
    """A file that can't be read.

    Its text is the reason in a few words: people read it, and the figures count it.
    """


@dataclass(frozen=True)
class Parsed:
    """What was read from a file."""

    format: str
    text: str  # Markdown
    title: str = ""  # empty where the file has none
    metadata: dict[str, Any] = field(default_factory=dict)
    # Where each page starts in the text, in characters, by page number from 1; None: no pages.
    pages: list[int] | None = None
