"""What all routes share: the release, the journal of feedback, the counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argot.feedback.journal import FeedbackRecord, Journal, JournalFull
from argot.feedback.workbench import Workbench
from argot.serving.server.identities import Identities
from argot.serving.server.interleaved import Interleaved, SearchCall, interleave
from argot.serving.server.prometheus import ServerMetrics
from argot.serving.server.release_watcher import ReleaseWatcher
from argot.serving.server.served_release import SearchOutcome, ServedRelease
from argot.serving.server.server_settings import ServerSettings

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is not JSON, or not the JSON that this route expects"},
    401: {"description": "No API key, or a wrong one"},
    403: {"description": "From a page of another origin, or by a proxy that was not declared"},
    408: {"description": "The body did not come in time"},
    413: {"description": "The body is too long"},
    421: {"description": "A host name that this server does not answer to"},
    422: {"description": "A value is missing, wrong or past a limit"},
    503: {"description": "Too many requests at once; come back after Retry-After seconds"},
}


@dataclass(frozen=True)
class ServerState:
    """Made once when the application starts, and given to the router of each route."""

    settings: ServerSettings
    watcher: ReleaseWatcher
    candidate: ReleaseWatcher | None
    journal: Journal
    metrics: ServerMetrics
    workbench: Workbench | None
    identities: Identities | None

    @property
    def release(self) -> ServedRelease:
        """The newest release. A request asks for it once, so that one reply is of one release."""
        return self.watcher.current

    def interleave(
        self, call: SearchCall, release: ServedRelease, outcome: SearchOutcome
    ) -> Interleaved | None:
        """What was found, mixed with what the candidate finds; None where no candidate helps."""
        candidate = self.candidate.current if self.candidate else None
        if candidate is None or candidate.id == release.id:
            return None
        mixed = interleave(call, release, candidate, outcome)
        self.metrics.interleaved.labels("mixed in" if mixed else "left out").inc()
        return mixed

    def keep_asked(
        self,
        query: str,
        release: ServedRelease,
        outcome: SearchOutcome,
        mixed: Interleaved | None = None,
    ) -> None:
        """Keep a question for `argot drift`, and its passages' teams for `argot interleaving`.

        The reply does not wait for the disk.
        """
        if outcome.problem:
            self.metrics.without_model.inc()
        if not self.settings.keep_questions:
            return
        top = outcome.passages[0] if outcome.passages else None
        record = FeedbackRecord(
            kind="asked",
            query=query,
            chunk=top.id if top else "",
            document=top.document if top else "",
            release=release.id,
            mode=outcome.mode,
            search=mixed.search if mixed else "",
            candidate=mixed.candidate if mixed else "",
            teams=mixed.teams if mixed else {},
        )
        try:
            self.journal.append(record)
            self.metrics.feedback.labels("asked").inc()
        except JournalFull:  # searching must go on where there is no room for feedback
            self.metrics.feedback.labels("lost").inc()
