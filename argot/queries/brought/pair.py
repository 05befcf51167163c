"""What every form of brought pairs is read as."""

from __future__ import annotations

from typing import NamedTuple


class BroughtPair(NamedTuple):
    """A query, and the document or the text that answers it; at least one of these is given."""

    place: str  # file and line, for messages
    query: str
    document: str = ""  # the path below data/raw
    heading: str = ""  # the heading path of `text`
    text: str = ""  # a passage as the team cut it, or a quote from one
    kind: str = ""  # a word of the team's own, such as question
