"""A candidate beside the release that is served: its passages are mixed into every search."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from functools import lru_cache

from argot.feedback.interleaving import Team, draft
from argot.search.retriever import Filter, Passage
from argot.serving.server.served_release import SearchOutcome, ServedRelease

LOG = logging.getLogger("argot.serving.server")
PATIENCE = 1.0  # seconds for the candidate's model: nobody waits longer for a release on trial


@dataclass(frozen=True)
class Interleaved:
    """The passages of two releases, mixed, and whose each is."""

    search: str  # names this search in the journal
    candidate: str
    passages: list[Passage]
    teams: dict[str, Team]  # of the passages that have one


@dataclass(frozen=True)
class SearchCall:
    """The arguments of a search by the release's own mode."""

    query: str
    k: int
    filter: Filter | None
    groups: frozenset[str] | None

    def named(self, *releases: ServedRelease) -> str:
        """A name for this search by these releases. The same call has the same name."""
        groups = None if self.groups is None else sorted(self.groups)
        ids = [release.id for release in releases]
        parts = [self.query, self.k, self.filter or {}, groups, ids]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def interleave(
    call: SearchCall, served: ServedRelease, candidate: ServedRelease, outcome: SearchOutcome
) -> Interleaved | None:
    """The passages that `served` found, mixed with the candidate's.

    None where the candidate fails, or either has found by words alone because its model failed:
    what was found stays as it is then.
    """
    try:
        theirs = candidate.find(call.query, call.k, None, call.filter, call.groups)
        problem = outcome.problem or theirs.problem
        # Whoever may not see a document by one release's rights doesn't get it from the other.
        ours = _visible(outcome.passages, candidate, call.groups)
        others = _visible(theirs.passages, served, call.groups)
    except Exception as error:  # whatever is wrong with the candidate, the answer is not harmed
        problem = f"{type(error).__name__}: {error}"
    if problem:
        _warn(candidate.id, problem)
        return None
    search = call.named(served, candidate)
    drafted = draft(list(ours), list(others), call.k, search)
    found = others | ours
    passages = [replace(found[id], rank=rank) for rank, id in enumerate(drafted, start=1)]
    teams = {id: team for id, team in drafted.items() if team}
    return Interleaved(search, candidate.id, passages, teams)


def _visible(
    found: list[Passage], other: ServedRelease, groups: frozenset[str] | None
) -> dict[str, Passage]:
    hidden = other.hidden({passage.document for passage in found}, groups)
    return {passage.id: passage for passage in found if passage.document not in hidden}


@lru_cache(maxsize=64)
def _warn(candidate: str, problem: str) -> None:
    """Log a problem once: a candidate that always fails must not fill the log."""
    LOG.warning("the candidate %s was left out of a search: %s", candidate, problem)
