"""Feedback becomes questions when a person says so, and not before: anyone may have sent it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from argot.feedback.journal import Record, append_line, same_words
from argot.feedback.label import QUERIES, REVIEW, judged, read_lines
from argot.queries.splits import split_of
from argot.search.bm25 import Words

TAKEN = QUERIES / "feedback.jsonl"
REFUSED = REVIEW / "refused.jsonl"
DEV_SHARE, TEST_SHARE = 0.2, 0.4


@dataclass(frozen=True)
class Proposal:
    """A question and a passage that users say answers it."""

    query: str
    document: str
    quote: str
    up: int
    down: int
    comments: tuple[str, ...]

    @property
    def key(self) -> list[str]:
        """By this it is known again."""
        return [same_words(self.query), self.document, same_words(self.quote)]


def proposals(records: Iterable[Record]) -> list[Proposal]:
    """What waits for review: (question, passage) with more thumbs up than down."""
    thumbs: defaultdict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.kind == "thumb" and same_words(record.query):
            thumbs[same_words(record.query), record.document, record.quote].append(record)
    done, refused = judged(), [line.get("key") for line in read_lines(REFUSED)]
    found = [_proposal(group) for group in thumbs.values()]
    waiting = [
        one
        for one in found
        if one.up > one.down and one.key not in refused and one.key[0] not in done
    ]
    return sorted(waiting, key=lambda one: one.key)


def disliked(records: Iterable[Record]) -> list[str]:
    """Questions that users only found wrong answers to: for `argot label`."""
    verdicts: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.kind == "thumb":
            verdicts[same_words(record.query)].append(record)
    done = judged()
    wrong = {
        words: group
        for words, group in verdicts.items()
        if not any(r.verdict == "up" for r in group)
    }
    return [group[0].query for words, group in sorted(wrong.items()) if words and words not in done]


def accept(proposals: Sequence[Proposal], language: str, path: Path = TAKEN) -> str:
    """Make one question of proposals for the same question, durably; return its split."""
    query = " ".join(proposals[0].query.split())
    split = split_for(query, language)
    relevant = [{"document": one.document, "quote": one.quote.strip()} for one in proposals]
    append_line(path, {"query": query, "relevant": relevant, "split": split, "kind": "feedback"})
    return split


def refuse(proposal: Proposal) -> None:
    """Never propose this again."""
    append_line(REFUSED, {"query": proposal.query, "key": proposal.key})


def split_for(query: str, language: str) -> str:
    """train, dev or test, by what is asked and not by who asks it: the set of the query's stems decides.

    The same question in other order and forms, by someone else, so falls on the same side, and a model that was
    trained on the one is not measured by the other. Where such a question has a split already, that is kept.
    """
    words = Words(language)
    wanted = _cluster(query, words)
    for path in sorted(QUERIES.rglob("*.jsonl")):
        for line in read_lines(path):
            if _cluster(line["query"], words) == wanted:
                return str(line.get("split", "test"))
    return split_of(wanted, DEV_SHARE, TEST_SHARE)


def _cluster(query: str, words: Words) -> str:
    return " ".join(sorted(set(words.of(query)))) or same_words(query)


def _proposal(group: Sequence[Record]) -> Proposal:
    first = group[0]
    up = sum(record.verdict == "up" for record in group)
    comments = tuple(record.comment for record in group if record.comment)
    return Proposal(first.query, first.document, first.quote, up, len(group) - up, comments)
