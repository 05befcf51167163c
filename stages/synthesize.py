"""Queries for the passages: by rule, by a language model, brought along, and people's own.

python -m stages.synthesize --estimate    what the model's queries would cost; spends nothing
python -m stages.synthesize --prune       drop the replies about passages that no longer exist
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from heapq import nsmallest
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import Field
from tqdm import tqdm

from argot.core.params import Settings, load
from argot.core.parquet import read_table, write_table
from argot.core.stage import counted, run, stage_parser, write_figures
from argot.llm.calls.completions import completions, estimate
from argot.llm.calls.settings import LlmSettings, MachineLlm, SpendSettings
from argot.llm.calls.store import Store
from argot.llm.judging.prompting import shown_texts
from argot.queries import headings, neighbours, sentences, structure
from argot.queries.brought.matching import PassageFinder
from argot.queries.brought.reading import read_brought
from argot.queries.by_model import grounded, llm_drafts, requests_for
from argot.queries.draft import Context, Draft, QuerySource
from argot.queries.refusals import Refusals, Refused
from argot.queries.splits import side_of
from argot.tables import pairs, questions
from argot.tables.chunks import ChunkRow, Corpus

BROUGHT = Path("data/own-pairs")
# A query of so few words is a phrase that any text may hold: its words in a row copy nothing.
SHORT = 5
# Of an answer, with its JSON: queries that models wrote for English passages had 27 to 29.
TOKENS_A_QUERY = 30


Source = Literal[
    "faq", "heading", "question", "statement", "sentence", "keywords", "adjacent", "bm25"
]  # fmt: skip


class QueriesPerSource(Settings):
    """How many queries each source may make for a passage, on average."""

    faq: float = Field(ge=0)
    heading: float = Field(ge=0)
    question: float = Field(ge=0)
    statement: float = Field(ge=0)
    sentence: float = Field(ge=0)
    keywords: float = Field(ge=0)
    adjacent: float = Field(ge=0)
    bm25: float = Field(ge=0)


class SynthesizeSettings(Settings):
    """The section `synthesize`."""

    seed: int
    dev_share: float = Field(ge=0, lt=1)
    test_share: float = Field(ge=0, lt=1)
    max_passages: int = Field(ge=1)
    queries: QueriesPerSource
    measured: list[Source]
    partner_score: float = Field(gt=0)
    copy_share: float = Field(gt=0, le=1)
    near_duplicate: float = Field(gt=0, le=1)
    round_trip: int = Field(ge=0)
    real_passages: int = Field(ge=0)
    min_clicks: int = Field(ge=1)
    llm: LlmSettings


def main() -> str:
    """Make drafts, drop what teaches nothing, and write the pairs of each split."""
    settings = load("synthesize", SynthesizeSettings)
    corpus = Corpus()
    context = Context.of(corpus)
    sieve = Sieve(context, settings)

    complete = partial(
        completions, machine=load("machine.llm", MachineLlm), spend=load("spend", SpendSettings)
    )

    chosen = drawn(context.chunks, settings)
    texts = shown_texts(corpus, [chunk.id for chunk in chosen], settings.llm)
    asked = asked_by_people()
    written, paid = llm_drafts(chosen, texts, asked, settings.llm, complete, sieve.dropped)
    by_rule = drafts_by_rule(tqdm(chosen, "queries", disable=None), context, settings)

    refusals = Refusals("synthesize")
    brought = list(brought_along(context, settings.min_clicks, refusals))
    refusals.show()

    made = sieve.distinct(sieve.informative([*written, *by_rule]))
    splits = sieve.by_split([*brought, *made])
    train = sieve.round_trip([*real(context, settings), *splits["train"]])
    splits["train"], judged = grounded(train, context, texts, settings.llm, complete, sieve.dropped)

    for split, kept in splits.items():
        write_table(pairs.PATHS[split], [row(draft) for draft in kept], pairs.SCHEMA)
    found = figures(splits, sieve.dropped, context)
    found |= {"passages": len(context.chunks), "drawn": len(chosen)}
    found |= {"brought": len(brought), "refused": dict(refusals.counts)}
    found |= {"llm": paid.figures(), "judge": judged.figures()}
    write_figures("synthesize", found)
    counts = ", ".join(f"{len(kept):,} {split}" for split, kept in splits.items())
    drawn_of = f"{len(chosen):,} of " if len(chosen) < len(context.chunks) else ""
    line = f"{drawn_of}{counted(len(context.chunks), 'passage')} → {counts} pairs"
    line += f"; {counted(sieve.dropped.total(), 'query')} dropped"
    if not brought and not refusals.counts:
        return line
    return f"{line}; {counted(len(brought), 'pair')} brought along, {refusals.summary()}"


def drawn(passages: Sequence[ChunkRow], settings: SynthesizeSettings) -> Sequence[ChunkRow]:
    """The passages that get queries: all, or so many, chosen by the seed and their ids alone."""

    def order(chunk: ChunkRow) -> bytes:
        return hashlib.sha256(f"{settings.seed}:{chunk.id}".encode()).digest()

    chosen = {chunk.id for chunk in nsmallest(settings.max_passages, passages, key=order)}
    return [chunk for chunk in passages if chunk.id in chosen]


def drafts_by_rule(
    chunks: Iterable[ChunkRow], context: Context, settings: SynthesizeSettings
) -> Iterator[Draft]:
    """The drafts of every source for each chunk.

    What is drawn depends on the seed, the source and the chunk alone: no document changes
    another one's queries.
    """
    sources: dict[str, Sequence[QuerySource]] = {
        "faq": (headings.faq, structure.dialogue),
        "heading": (headings.heading,),
        "question": (headings.question,),
        "statement": (sentences.statement,),
        "sentence": (sentences.sentence,),
        "keywords": (sentences.keywords,),
        "adjacent": (neighbours.adjacent,),
        "bm25": (neighbours.partner(settings.partner_score),),
    }
    for chunk in chunks:
        for name, ways in sources.items():
            random = Random(f"{settings.seed}:{name}:{chunk.id}")
            count = _rounded(getattr(settings.queries, name), random)
            drafts = chain.from_iterable(way(chunk, context, random) for way in ways)
            for draft in islice(drafts, count):
                yield draft._replace(source=name)


class Sieve:
    """The filters that drafts go through; `dropped` counts what they drop by source and reason."""

    def __init__(self, context: Context, settings: SynthesizeSettings) -> None:
        self.context = context
        self.settings = settings
        self.dropped: Counter[tuple[str, str]] = Counter()

    def informative(self, drafts: Iterable[Draft]) -> Iterator[Draft]:
        """Drop queries of fewer than two words with content, and those that copy their passage."""
        for draft in drafts:
            text = self.context.chunk(draft.chunk).text
            if len(self.context.vocabulary.stems(draft.query)) < 2:
                self.dropped[draft.source, "empty"] += 1
            elif copies(draft.query, text, self.settings.copy_share):
                self.dropped[draft.source, "copies"] += 1
            else:
                yield draft

    def distinct(self, drafts: Iterable[Draft]) -> list[Draft]:
        """Drop queries that fit several document groups, and near-duplicates in one passage."""
        found = [(draft, self.context.vocabulary.stems(draft.query)) for draft in drafts]
        groups: defaultdict[frozenset[str], set[str]] = defaultdict(set)
        for draft, stems in found:
            groups[stems].add(self.context.chunk(draft.chunk).group)
        kept = []
        kept_stems: set[frozenset[str]] = set()
        stems_of: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
        for draft, stems in found:
            if len(groups[stems]) > 1:
                self.dropped[draft.source, "ambiguous"] += 1
            elif stems in kept_stems or self._repeats(stems, stems_of[draft.chunk]):
                self.dropped[draft.source, "repeated"] += 1
            else:
                kept_stems.add(stems)
                stems_of[draft.chunk].append(stems)
                kept.append(draft)
        return kept

    def _repeats(self, stems: frozenset[str], others: Iterable[frozenset[str]]) -> bool:
        return any(_jaccard(stems, other) >= self.settings.near_duplicate for other in others)

    def by_split(self, drafts: Iterable[Draft]) -> dict[str, list[Draft]]:
        """Share out the drafts by documents; one made from two documents needs both on one side.

        Dev and test get only the sources that are most like people's questions.
        """
        group_of = dict(zip(self.context.documents, self.context.groups, strict=True))
        splits: dict[str, list[Draft]] = {"train": [], "dev": [], "test": []}
        for draft in drafts:
            chunk = self.context.chunk(draft.chunk)
            split = self._side(chunk.document, chunk.group)
            if not split:
                self.dropped[draft.source, "near-copy of another split"] += 1
            elif split != self._side(draft.document, group_of[draft.document]):
                self.dropped[draft.source, "across splits"] += 1
            elif split == "train" or self._is_measured(draft.source):
                splits[split].append(draft)
            else:
                self.dropped[draft.source, "not measured"] += 1
        return splits

    def _side(self, document: str, group: str) -> str:
        return side_of(document, group, self.settings.dev_share, self.settings.test_share)

    def _is_measured(self, source: str) -> bool:
        return source in self.settings.measured or source.startswith(("llm:", "own"))

    def round_trip(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Drop training queries made by rule that don't find their own passage again by BM25.

        Promptagator's filter (Dai et al. 2022, arXiv 2209.11755).
        """
        kept = []
        for draft in tqdm(drafts, "round trip", disable=None):
            if draft.trusted or self._found_again(draft):
                kept.append(draft)
            else:
                self.dropped[draft.source, "round trip"] += 1
        return kept

    def _found_again(self, draft: Draft) -> bool:
        if not self.settings.round_trip:
            return True
        scores = self.context.bm25.scores(draft.query)
        better = int((scores > scores[self.context.places[draft.chunk]]).sum())
        return better < self.settings.round_trip


def copies(query: str, text: str, share: float) -> bool:
    """Does one run of `text` hold at least `share` of the query's words, in their order?"""
    words, passage = query.lower().split(), f" {' '.join(text.lower().split())} "
    run_length = math.ceil(share * len(words))
    runs = (words[at : at + run_length] for at in range(len(words) - run_length + 1))
    return len(words) > SHORT and any(f" {' '.join(run)}" in passage for run in runs)


def asked_by_people() -> list[str]:
    """The real training questions."""
    table = read_table(questions.PATHS["train"], questions.SCHEMA, ["query"])
    queries: list[str] = table["query"].to_pylist()
    return queries


def real(context: Context, settings: SynthesizeSettings) -> Iterator[Draft]:
    """People's training questions; of many passages BM25 chooses."""
    for question in read_table(questions.PATHS["train"], questions.SCHEMA).to_pylist():
        answers = [context.places[id] for id in question["chunks"]]
        for chunk in by_bm25(question["query"], answers, context)[: settings.real_passages]:
            made = Draft.of(question["query"], chunk)
            yield made._replace(source="real", trusted=True)


def by_bm25(query: str, places: Sequence[int], context: Context) -> list[ChunkRow]:
    """The passages at these places, those first that BM25 finds best for the query."""
    found = [context.chunks[place] for place in places]
    if len(found) < 2:
        return found
    scores = context.bm25.scores(query)
    return sorted(found, key=lambda chunk: (-scores[context.places[chunk.id]], chunk.id))


def brought_along(context: Context, min_clicks: int, refusals: Refusals) -> Iterator[Draft]:
    """The pairs of data/own-pairs; where one may mean several passages BM25 chooses."""
    # Made with the first pair, for it holds all passages once more.
    finder = cache(lambda: PassageFinder(context.chunks))
    seen: set[tuple[str, str]] = set()
    for pair in read_brought(BROUGHT, min_clicks, refusals):
        try:
            query = " ".join(pair.query.split())
            if not any(map(str.isalnum, query)):
                raise Refused("malformed", f"the query '{query}' has no word")
            chunk = by_bm25(query, finder().candidates(pair), context)[0]
            if (query, chunk.id) in seen:
                raise Refused("repeated", "an earlier line has the same query for this passage")
            seen.add((query, chunk.id))
            source = f"own:{pair.kind}" if pair.kind else "own"
            yield Draft.of(query, chunk)._replace(source=source, trusted=True)
        except Refused as refused:
            refusals.add(pair.place, refused)


def row(draft: Draft) -> dict[str, Any]:
    """A draft as a row of the table."""
    names = "\0".join([draft.query, draft.chunk, draft.source])
    return {"pair": hashlib.sha256(names.encode()).hexdigest()[:16], **draft._asdict()}


def figures(
    splits: dict[str, list[Draft]], dropped: Counter[tuple[str, str]], context: Context
) -> dict[str, Any]:
    """Counts of pairs and drops, and how much of a query its passage holds."""
    drops: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (source, reason), count in dropped.items():
        drops[source][reason] = count
    trained = {draft.chunk for draft in splits["train"]}
    sources = {split: Counter(draft.source for draft in kept) for split, kept in splits.items()}
    return {
        "pairs": {split: dict(counts) for split, counts in sources.items()},
        "dropped": dict(drops),
        "trained_passages": len(trained),
        "queries_per_trained_passage": round(len(splits["train"]) / max(1, len(trained)), 3),
        "overlap": {split: overlap(kept, context) for split, kept in splits.items()},
    }


def overlap(drafts: Sequence[Draft], context: Context) -> float:
    """The mean share of a query's stems in its passage; at 1 the pairs teach little."""
    shares = []
    for draft in drafts:
        stems = context.vocabulary.stems(draft.query)
        held = stems & context.vocabulary.stems(context.chunk(draft.chunk).text)
        shares.append(len(held) / max(1, len(stems)))
    return round(sum(shares) / max(1, len(shares)), 4)


def _rounded(wanted: float, random: Random) -> int:
    return math.floor(wanted) + (random.random() < wanted % 1)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def show_estimate() -> str:
    """Passages, tokens and dollars of the model's queries that are not there yet."""
    settings, spend = load("synthesize", SynthesizeSettings), load("spend", SpendSettings)
    if not settings.llm.has_provider:
        return "nothing to pay: synthesize.llm.provider is none"
    corpus = Corpus()
    chosen = drawn(corpus.rows(), settings)
    texts = shown_texts(corpus, [chunk.id for chunk in chosen], settings.llm)
    requests = requests_for(chosen, texts, asked_by_people(), settings.llm)
    with Store() as store:
        found = estimate(requests, store, spend, TOKENS_A_QUERY * settings.llm.queries_per_chunk)
    guess = f"guessed: four letters a token, {TOKENS_A_QUERY} tokens a query, no thinking"
    tokens = "by the usage of earlier replies" if found.measured else guess
    mode = "by batch" if spend.batch else "live"
    judge = "; the judge is paid on top" if settings.llm.judge else ""
    return (
        f"{counted(found.requests, 'passage')}, {found.there:,} answered before; "
        f"the others: {found.tokens_in:,} tokens in and {found.tokens_out:,} out ({tokens}), "
        f"${found.usd:.2f} {mode} at the prices of {spend.prices_as_of} for {settings.llm.model}; "
        f"limit ${spend.max_usd:.2f}{judge}; nothing was spent"
    )


def prune() -> str:
    """Drop the replies about passages that no longer exist, such as a deleted document's."""
    alive = set(Corpus().ids)
    with Store() as store:
        gone = store.keep(lambda reply: reply.about in alive)
    return f"{counted(gone, 'reply')} dropped"


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = stage_parser("synthesize", __doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--estimate", action="store_const", dest="task", const=show_estimate)
    what.add_argument("--prune", action="store_const", dest="task", const=prune)
    return parser.parse_args()


if __name__ == "__main__":
    run("synthesize", arguments().task or main)
