"""Passages as they may leave the machine: masked by what was found before they were cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from argot.llm.calls.redact import masked, private_spans, redact
from argot.tables.chunks import Corpus


class Cut(NamedTuple):
    """A passage and the span of its document that it was cut from."""

    id: str
    start: int
    end: int
    text: str

    @property
    def header(self) -> str:
        """What is repeated in front of the span: a table's header, or nothing."""
        return self.text[: max(0, len(self.text) - (self.end - self.start))]


def masked_texts(corpus: Corpus, ids: Collection[str]) -> dict[str, str]:
    """The masked texts of these passages, by their ids.

    A key of which a passage holds a part only can't be recognised there, so each document is put
    together again from its passages, searched once, and what is found masked in all of them.
    """
    columns = ["chunk", "start", "end", "text", "document"]
    table = corpus.table(columns)
    cuts: defaultdict[str, list[Cut]] = defaultdict(list)
    for *cut, document in zip(*(table[name].to_pylist() for name in columns), strict=True):
        cuts[document].append(Cut(*cut))
    wanted = set(ids)
    texts: dict[str, str] = {}
    for passages in cuts.values():
        if any(passage.id in wanted for passage in passages):
            texts |= _masked_document(passages)
    return {id: texts[id] for id in wanted}


def _masked_document(passages: Sequence[Cut]) -> dict[str, str]:
    spans = private_spans(_joined(passages))
    texts = {}
    for passage in passages:
        # A part of something private is as private as the whole.
        inside = [
            span._replace(
                start=max(span.start, passage.start) - passage.start,
                end=min(span.end, passage.end) - passage.start,
            )
            for span in spans
            if span.start < passage.end and span.end > passage.start
        ]
        body = passage.text[len(passage.header) :]
        texts[passage.id] = redact(passage.header).text + masked(body, inside)
    return texts


def _joined(passages: Sequence[Cut]) -> str:
    """The document in its own positions; line breaks stand for what no passage holds."""
    parts, at = [], 0
    for passage in sorted(passages, key=lambda passage: passage.start):
        body = passage.text[len(passage.header) :]
        parts += ["\n" * (passage.start - at), body[max(0, at - passage.start) :]]
        at = max(at, passage.start + len(body))
    return "".join(parts)
