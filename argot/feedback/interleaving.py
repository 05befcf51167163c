"""Which of two releases do users prefer? Their results are shown mixed, and clicks decide.

Team-draft interleaving (Radlinski, Kurup and Joachims 2008): the releases pick passages in turn, as
two captains pick their teams. A thumb or a click counts for the team of its passage. Everybody sees
both releases at once, so that far fewer questions are needed than where each user sees only one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from argot.feedback.journal import FeedbackRecord, same_words

Team = Literal["served", "candidate"]
CONFIDENCE = 0.95
CREDIT = {"up": 1, "opened": 1, "down": -1}  # of a passage's team


@dataclass(frozen=True)
class Preference:
    """For how many questions the candidate, the served release or neither was preferred."""

    served: str  # the releases' ids
    candidate: str
    wins: int
    losses: int
    ties: int
    shown: int  # questions that were shown mixed, judged or not

    @property
    def share(self) -> float:
        """The candidate's share of the questions that were decided, in [0, 1]; 0.5 of none."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else 0.5

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the share (Clopper and Pearson 1934).

        It leaves out 0.5 just where the sign test is significant: it is the same test.
        """
        from scipy.stats import binomtest

        decided = self.wins + self.losses
        if not decided:
            return 0.0, 1.0
        ends = binomtest(self.wins, decided).proportion_ci(CONFIDENCE, method="exact")
        return float(ends.low), float(ends.high)

    @property
    def preferred(self) -> Team | None:
        """Which release is significantly preferred; None where neither is."""
        low, high = self.interval
        if low > 0.5:
            return "candidate"
        return "served" if high < 0.5 else None


def draft(
    served: Sequence[str], candidate: Sequence[str], most: int, seed: str
) -> dict[str, Team | None]:
    """The passages' ids in the order in which they are shown, each with its team; `most` of them.

    In each round a coin says who picks first; each picks its best passage that is not there yet. A
    passage that both would pick has no team: it says nothing about which is better. The same seed
    tosses the same coins.
    """
    rankings: dict[Team, Sequence[str]] = {"served": served, "candidate": candidate}
    drafted: dict[str, Team | None] = {}
    for coin in _coins(seed):
        picks = {team: _best(ranking, drafted) for team, ranking in rankings.items()}
        if picks["served"] == picks["candidate"]:
            if picks["served"] is None:  # both are used up
                break
            drafted[picks["served"]] = None
            continue
        order: tuple[Team, Team] = ("candidate", "served") if coin else ("served", "candidate")
        for team in order:
            if (pick := picks[team]) is not None:
                drafted[pick] = team
        if len(drafted) >= most:
            break
    return dict(list(drafted.items())[:most])


def preferences(records: Iterable[FeedbackRecord]) -> list[Preference]:
    """What users preferred, for each two releases that were shown mixed, in their order.

    Each question has one vote, however often it was asked: that of the release whose passages got
    more thumbs up and clicks, less thumbs down. Teams are those that the server wrote down; a thumb
    for another passage, or for a search that is not in the journal, has none.
    """
    records = list(records)
    asked_for = [record for record in records if record.kind == "asked" and record.teams]
    searches = {record.search: record for record in asked_for}
    shown: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for asked in searches.values():
        shown[asked.release, asked.candidate].add(same_words(asked.query))
    votes: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for (search, chunk), verdict in _verdicts(records, searches).items():
        asked = searches[search]
        sign = 1 if asked.teams[chunk] == "candidate" else -1
        pair = asked.release, asked.candidate
        votes[pair][same_words(asked.query)] += sign * CREDIT[verdict]
    return [_counted(pair, votes[pair], len(questions)) for pair, questions in shown.items()]


def _verdicts(
    records: Sequence[FeedbackRecord], searches: Mapping[str, FeedbackRecord]
) -> dict[tuple[str, str], str]:
    """What users made of each passage that has a team, by the search and the passage."""
    verdicts: dict[tuple[str, str], str] = {}
    for record in records:
        asked = searches.get(record.search)
        if record.verdict and asked and record.chunk in asked.teams:
            key = record.search, record.chunk
            # The last thumb counts. That a passage was opened counts only without a thumb.
            if record.kind == "thumb" or key not in verdicts:
                verdicts[key] = record.verdict
    return verdicts


def _counted(pair: tuple[str, str], votes: Counter[str], shown: int) -> Preference:
    wins = sum(vote > 0 for vote in votes.values())
    losses = sum(vote < 0 for vote in votes.values())
    return Preference(*pair, wins, losses, len(votes) - wins - losses, shown)


def _best(ranking: Sequence[str], drafted: dict[str, Team | None]) -> str | None:
    return next((id for id in ranking if id not in drafted), None)


def _coins(seed: str) -> Iterator[bool]:
    for toss in count():
        yield bool(hashlib.sha256(f"{seed} {toss}".encode()).digest()[0] & 1)
