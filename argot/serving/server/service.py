"""What all routes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argot.feedback.journal import Full, Journal, Record
from argot.feedback.workbench import Workbench
from argot.serving.server.metrics import Metrics
from argot.serving.server.served import Found, Served
from argot.serving.server.settings import ServerSettings
from argot.serving.server.shelf import Shelf

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Not JSON, or not what is expected here"},
    401: {"description": "No API key, or a wrong one"},
    403: {"description": "From another origin"},
    413: {"description": "The body is too long"},
    422: {"description": "A value is missing, wrong or past a limit"},
    503: {"description": "Too many requests at once; come back after Retry-After seconds"},
}


@dataclass(frozen=True)
class Service:
    """The release on the shelf, the feedback's journal, the counters."""

    settings: ServerSettings
    shelf: Shelf
    journal: Journal
    metrics: Metrics
    workbench: Workbench | None

    @property
    def served(self) -> Served:
        """The release as it is now: a request takes it once, and stays with it."""
        return self.shelf.current

    def keep_asked(self, query: str, served: Served, found: Found) -> None:
        """Keep a question for `argot drift`, without making its asker wait for the disk."""
        if found.notice:
            self.metrics.without_model.inc()
        if not self.settings.keep_questions:
            return
        top = found.passages[0] if found.passages else None
        record = Record(
            kind="asked",
            query=query,
            chunk=top.id if top else "",
            document=top.document if top else "",
            release=served.id,
            mode=found.mode,
        )
        try:
            self.journal.append(record)
            self.metrics.feedback.labels("asked").inc()
        except Full:  # a full disk of feedback must not keep anyone from searching
            self.metrics.feedback.labels("lost").inc()
