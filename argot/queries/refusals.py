"""Lines of people's own files that can't be used: named, with a reason, and counted by it."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

from argot.core.terminal import printable

SHOWN = 20  # refused lines that are printed; all are counted


class Refused(Exception):
    """A line that can't be used: `reason` is counted, the message is for its author."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class Refusals:
    """Every line that a stage refused: counted by reason, with its place and message."""

    stage: str
    counts: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)

    def add(self, place: str, refused: Refused) -> None:
        """Count and remember one."""
        self.counts[refused.reason] += 1
        self.messages.append(f"{place}: {refused}")

    def show(self) -> None:
        """Print the first ones."""
        for line in self.messages[:SHOWN]:
            print(f"{self.stage}: refused: {printable(line)}", file=sys.stderr)
        if len(self.messages) > SHOWN:
            more = len(self.messages) - SHOWN
            print(f"{self.stage}: refused: {more} more lines", file=sys.stderr)

    def summary(self) -> str:
        """How many were refused, and why, in a few words."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.counts.items()))
        return f"{self.counts.total()} refused" + (f" ({reasons})" if reasons else "")


def shortened(text: str) -> str:
    """The text in one line of at most 60 characters, to name it by."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."
