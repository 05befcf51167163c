"""Readers of documents: the bytes of a file become Markdown. One module a family of formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class UnreadableError(Exception):
    """A file that can't be read; its text is the reason, a few words for the figures and for a person."""


@dataclass(frozen=True)
class Parsed:
    """What was read from a file."""

    format: str
    text: str  # Markdown
    title: str = ""  # empty where the file tells none
    metadata: dict[str, Any] = field(default_factory=dict)
