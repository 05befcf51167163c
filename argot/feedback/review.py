"""A person turns users' feedback into questions; without a person none becomes one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from argot.feedback.journal import FeedbackRecord, append_line, same_words
from argot.feedback.label import QUERIES, REVIEW, judged, read_lines
from argot.queries.splits import split_of
from argot.ranking.bm25 import Words

TAKEN = QUERIES / "feedback.jsonl"
REFUSED = REVIEW / "refused.jsonl"
DEV_SHARE, TEST_SHARE = 0.2, 0.4


@dataclass(frozen=True)
class Proposal:
    """A question and a passage that answers it, as users say."""

    query: str
    document: str
    quote: str
    up: int
    down: int
    comments: tuple[str, ...]

    @property
    def key(self) -> list[str]:
        """Two proposals with the same key are the same."""
        return [same_words(self.query), self.document, same_words(self.quote)]


def proposals(records: Iterable[FeedbackRecord]) -> list[Proposal]:
    """What waits for review: (question, passage) with more thumbs up than down."""
    thumbs: defaultdict[tuple[str, str, str], list[FeedbackRecord]] = defaultdict(list)
    for record in records:
        if record.kind == "thumb" and same_words(record.query):
            thumbs[same_words(record.query), record.document, record.quote].append(record)
    done, refused = judged(), [line.get("key") for line in read_lines(REFUSED)]
    found = [_proposal(group) for group in thumbs.values()]
    waiting = []
    for proposal in found:
        reviewed = proposal.key in refused or proposal.key[0] in done
        if proposal.up > proposal.down and not reviewed:
            waiting.append(proposal)
    return sorted(waiting, key=lambda proposal: proposal.key)


def disliked(records: Iterable[FeedbackRecord]) -> list[str]:
    """Questions that got thumbs down only: somebody should label them (`argot label`)."""
    thumbs: defaultdict[str, list[FeedbackRecord]] = defaultdict(list)
    for record in records:
        if record.kind == "thumb":
            thumbs[same_words(record.query)].append(record)
    done = judged()
    wrong = []
    for words, group in sorted(thumbs.items()):
        liked = any(record.verdict == "up" for record in group)
        if words and not liked and words not in done:
            wrong.append(group[0].query)
    return wrong


def accept(proposals: Sequence[Proposal], language: str, path: Path = TAKEN) -> str:
    """Write one question from all accepted proposals for it, durably; return its split."""
    query = " ".join(proposals[0].query.split())
    split = split_for(query, language)
    relevant = [{"document": one.document, "quote": one.quote.strip()} for one in proposals]
    append_line(path, {"query": query, "relevant": relevant, "split": split, "kind": "feedback"})
    return split


def refuse(proposal: Proposal) -> None:
    """Keep that a person refused this, so that it is not proposed again."""
    append_line(REFUSED, {"query": proposal.query, "key": proposal.key})


def split_for(query: str, language: str) -> str:
    """train, dev or test, by a hash of the query's stems.

    The same question in other word order and forms gets the same split, so a model that was trained
    on one wording is not tested on the other. A question that has a split already keeps it.
    """
    words = Words(language)
    wanted = _stems(query, words)
    for path in sorted(QUERIES.rglob("*.jsonl")):
        for line in read_lines(path):
            if _stems(line["query"], words) == wanted:
                return str(line.get("split", "test"))
    return split_of(wanted, DEV_SHARE, TEST_SHARE)


def _stems(query: str, words: Words) -> str:
    return " ".join(sorted(set(words.of(query)))) or same_words(query)


def _proposal(group: Sequence[FeedbackRecord]) -> Proposal:
    first = group[0]
    up = sum(record.verdict == "up" for record in group)
    comments = tuple(record.comment for record in group if record.comment)
    return Proposal(first.query, first.document, first.quote, up, len(group) - up, comments)
