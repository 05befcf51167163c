"""Queries for the passages: out of the documents' structure, by a language model, and people's training questions.

python -m stages.synthesize --estimate    what the model's queries would cost; asks and spends nothing
python -m stages.synthesize --prune       drop the replies about passages that are no more
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import nsmallest
from itertools import islice
from random import Random
from typing import Any

from pydantic import Field
from tqdm import tqdm

from argot.core.params import Settings, load
from argot.core.parquet import read_table, write_table
from argot.core.stage import run, stage_parser, write_figures
from argot.llm.calls.gather import estimate
from argot.llm.calls.settings import LlmSettings, SpendSettings
from argot.llm.calls.store import Store
from argot.queries import headings, neighbours, sentences, structure
from argot.queries.by_model import grounded, llm_drafts, requests_for
from argot.queries.draft import Chunk, Corpus, Draft, Source
from argot.queries.splits import split_of
from argot.queries.vocabulary import Vocabulary
from argot.search.bm25 import Bm25, LexicalSettings
from argot.tables import chunks, pairs, questions

SHORT = 5  # words: a query as short as that can't be told from a phrase of its passage


class Queries(Settings):
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
    queries: Queries
    measured: list[str]
    partner_score: float = Field(gt=0)
    copy_share: float = Field(gt=0, le=1)
    near_duplicate: float = Field(gt=0, le=1)
    round_trip: int = Field(ge=0)
    real_passages: int = Field(ge=0)
    llm: LlmSettings


def main() -> str:
    """Make drafts, drop what teaches nothing, and write the pairs of each split."""
    settings = load("synthesize", SynthesizeSettings)
    corpus = read_corpus(load("lexical", LexicalSettings))
    dropped: Counter[tuple[str, str]] = Counter()
    chosen = drawn(corpus.chunks, settings)
    drafts, paid = llm_drafts(chosen, asked_by_people(), settings.llm, dropped)
    for chunk in tqdm(chosen, "queries", disable=None):
        drafts += made(chunk, corpus, settings)
    drafts = distinct(telling(drafts, corpus, settings, dropped), corpus, settings, dropped)
    sides = by_split(drafts, corpus, settings, dropped)
    sides["train"] = list(
        round_trip([*real(corpus, settings), *sides["train"]], corpus, settings, dropped)
    )
    sides["train"], judged = grounded(sides["train"], corpus, settings.llm, dropped)
    for split, kept in sides.items():
        write_table(pairs.PATHS[split], [row(draft) for draft in kept], pairs.SCHEMA)
    told = {"passages": len(corpus.chunks), "drawn": len(chosen), **figures(sides, dropped, corpus)}
    write_figures("synthesize", {**told, "llm": paid.figures(), "judge": judged.figures()})
    counts = ", ".join(f"{len(kept):,} {split}" for split, kept in sides.items())
    of_all = f" of {len(corpus.chunks):,}" if len(chosen) < len(corpus.chunks) else ""
    return f"{len(chosen):,}{of_all} passages → {counts} pairs; {dropped.total():,} queries dropped"


def read_chunks() -> list[Chunk]:
    """The passages, in the order of documents and positions."""
    columns = [
        "chunk",
        "document",
        "group",
        "position",
        "title",
        "heading",
        "text",
        "start",
        "language",
    ]
    rows = read_table(chunks.PATH, chunks.SCHEMA, columns).to_pylist()
    return [Chunk(*(row[column] for column in columns)) for row in rows]


def read_corpus(lexical: LexicalSettings) -> Corpus:
    """The passages, their vocabulary and their BM25 index."""
    passages = read_chunks()
    language = Counter(chunk.language for chunk in passages).most_common(1)[0][0]
    ids, texts = [chunk.id for chunk in passages], [chunk.passage for chunk in passages]
    bm25 = Bm25.build(ids, texts, lexical, language)
    headed = {(chunk.document, chunk.leaf.lower()) for chunk in passages}
    return Corpus(
        chunks=passages,
        vocabulary=Vocabulary(texts, bm25.language),
        bm25=bm25,
        places={id: place for place, id in enumerate(ids)},
        documents=len({chunk.document for chunk in passages}),
        leaves=Counter(leaf for _, leaf in headed),
    )


def drawn(passages: Sequence[Chunk], settings: SynthesizeSettings) -> Sequence[Chunk]:
    """The passages that queries are made for: all, or so many of a large corpus, by the seed and their ids alone."""

    def order(chunk: Chunk) -> bytes:
        return hashlib.sha256(f"{settings.seed}:{chunk.id}".encode()).digest()

    chosen = {chunk.id for chunk in nsmallest(settings.max_passages, passages, key=order)}
    return [chunk for chunk in passages if chunk.id in chosen]


def made(chunk: Chunk, corpus: Corpus, settings: SynthesizeSettings) -> Iterator[Draft]:
    """The drafts of every source for one chunk; what is drawn depends on the seed, the source and the chunk alone."""
    sources: dict[str, Sequence[Source]] = {
        "faq": (headings.faq, structure.dialogue),
        "heading": (headings.heading,),
        "question": (headings.question,),
        "statement": (sentences.statement,),
        "sentence": (sentences.sentence,),
        "keywords": (sentences.keywords,),
        "adjacent": (neighbours.adjacent,),
        "bm25": (neighbours.partner(settings.partner_score),),
    }
    for name, ways in sources.items():
        random = Random(f"{settings.seed}:{name}:{chunk.id}")
        wanted = _rounded(getattr(settings.queries, name), random)
        yield from islice((draft for way in ways for draft in way(chunk, corpus, random)), wanted)


def telling(
    drafts: Iterable[Draft],
    corpus: Corpus,
    settings: SynthesizeSettings,
    dropped: Counter[tuple[str, str]],
) -> Iterator[Draft]:
    """Drop queries without content, and those that copy their passage."""
    for draft in drafts:
        chunk = corpus.chunks[corpus.places[draft.chunk]]
        if len(corpus.vocabulary.stems(draft.query)) < 2:
            dropped[draft.source, "empty"] += 1
        elif copies(draft.query, chunk.text, settings.copy_share):
            dropped[draft.source, "copies"] += 1
        else:
            yield draft


def copies(query: str, text: str, share: float) -> bool:
    """Does one run of `text` hold at least `share` of the query's words, in their order?"""
    words, passage = query.lower().split(), f" {' '.join(text.lower().split())} "
    run_length = math.ceil(share * len(words))
    runs = (words[at : at + run_length] for at in range(len(words) - run_length + 1))
    return len(words) > SHORT and any(f" {' '.join(run)}" in passage for run in runs)


def distinct(
    drafts: Iterable[Draft],
    corpus: Corpus,
    settings: SynthesizeSettings,
    dropped: Counter[tuple[str, str]],
) -> list[Draft]:
    """Drop queries that stand for passages of several document groups, and near-duplicates of one passage's queries."""
    found = [
        (draft, corpus.vocabulary.stems(draft.query), corpus.chunks[corpus.places[draft.chunk]])
        for draft in drafts
    ]
    groups: defaultdict[frozenset[str], set[str]] = defaultdict(set)
    for _, stems, chunk in found:
        groups[stems].add(chunk.group)
    taken: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
    elsewhere: set[frozenset[str]] = set()
    kept = []
    for draft, stems, _ in found:
        if len(groups[stems]) > 1:
            dropped[draft.source, "ambiguous"] += 1
        elif stems in elsewhere or any(
            _jaccard(stems, other) >= settings.near_duplicate for other in taken[draft.chunk]
        ):
            dropped[draft.source, "repeated"] += 1
        else:
            taken[draft.chunk].append(stems)
            elsewhere.add(stems)
            kept.append(draft)
    return kept


def by_split(
    drafts: Iterable[Draft],
    corpus: Corpus,
    settings: SynthesizeSettings,
    dropped: Counter[tuple[str, str]],
) -> dict[str, list[Draft]]:
    """Share out the pairs by their document groups; a pair of two documents needs both on one side."""
    group_of = {chunk.document: chunk.group for chunk in corpus.chunks}
    sides: dict[str, list[Draft]] = {"train": [], "dev": [], "test": []}
    for draft in drafts:
        chunk = corpus.chunks[corpus.places[draft.chunk]]
        split, origin = (
            split_of(group, settings.dev_share, settings.test_share)
            for group in (chunk.group, group_of[draft.document])
        )
        if split != origin:
            dropped[draft.source, "across splits"] += 1
        elif (
            split == "train" or draft.source in settings.measured or draft.source.startswith("llm:")
        ):
            sides[split].append(draft)
        else:
            dropped[draft.source, "not measured"] += 1
    return sides


def asked_by_people() -> list[str]:
    """The real training questions."""
    return [
        str(query)
        for query in read_table(questions.PATHS["train"], questions.SCHEMA)["query"].to_pylist()
    ]


def real(corpus: Corpus, settings: SynthesizeSettings) -> Iterator[Draft]:
    """People's training questions; of many passages BM25 chooses."""
    for question in read_table(questions.PATHS["train"], questions.SCHEMA).to_pylist():
        scores = corpus.bm25.scores(question["query"])
        best = sorted(question["chunks"], key=lambda id: (-scores[corpus.places[id]], id))
        for id in best[: settings.real_passages]:
            chunk = corpus.chunks[corpus.places[id]]
            yield Draft(
                question["query"],
                id,
                "real",
                chunk.document,
                chunk.start,
                chunk.start + len(chunk.text),
            )


def round_trip(
    drafts: Sequence[Draft],
    corpus: Corpus,
    settings: SynthesizeSettings,
    dropped: Counter[tuple[str, str]],
) -> Iterator[Draft]:
    """Drop training queries that don't find their own passage by BM25 (Promptagator, Dai et al. 2022)."""
    for draft in tqdm(drafts, "round trip", disable=None):
        if draft.source == "real" or not settings.round_trip:
            yield draft
            continue
        scores = corpus.bm25.scores(draft.query)
        if (scores > scores[corpus.places[draft.chunk]]).sum() < settings.round_trip:
            yield draft
        else:
            dropped[draft.source, "round trip"] += 1


def row(draft: Draft) -> dict[str, Any]:
    """A draft as a row of the table."""
    name = hashlib.sha256("\0".join([draft.query, draft.chunk, draft.source]).encode()).hexdigest()[
        :16
    ]
    return {"pair": name, **draft._asdict()}


def figures(
    sides: dict[str, list[Draft]], dropped: Counter[tuple[str, str]], corpus: Corpus
) -> dict[str, Any]:
    """Pairs by split and source, drops by source and reason, and how much of a query stands in its passage."""
    drops: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (source, reason), count in dropped.items():
        drops[source][reason] = count
    trained = {draft.chunk for draft in sides["train"]}
    return {
        "pairs": {
            split: dict(Counter(draft.source for draft in kept)) for split, kept in sides.items()
        },
        "dropped": dict(drops),
        "trained_passages": len(trained),
        "queries_per_trained_passage": round(len(sides["train"]) / max(1, len(trained)), 3),
        "overlap": {split: overlap(kept, corpus) for split, kept in sides.items()},
    }


def overlap(drafts: Sequence[Draft], corpus: Corpus) -> float:
    """The mean share of a query's stems that its passage's text holds: at 1 the pairs are too easy to teach much."""
    shares = []
    for draft in drafts:
        stems = corpus.vocabulary.stems(draft.query)
        held = stems & corpus.vocabulary.stems(corpus.chunks[corpus.places[draft.chunk]].text)
        shares.append(len(held) / max(1, len(stems)))
    return round(sum(shares) / max(1, len(shares)), 4)


def _rounded(wanted: float, random: Random) -> int:
    return math.floor(wanted) + (random.random() < wanted % 1)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def show_estimate() -> str:
    """Passages, tokens and dollars of the model's queries that are not there yet."""
    settings, spend = load("synthesize", SynthesizeSettings), load("spend", SpendSettings)
    if settings.llm.provider == "none":
        return "nothing to pay: synthesize.llm.provider is none"
    requests = requests_for(drawn(read_chunks(), settings), asked_by_people(), settings.llm)
    with Store() as store:
        found = estimate(requests, store, spend)
    tokens = (
        "by the usage of earlier replies" if found.measured else "guessed at three letters a token"
    )
    mode = "by batch" if spend.batch else "live"
    return (
        f"{found.requests:,} passages, {found.there:,} replies are there; the others: {found.tokens_in:,} tokens in "
        f"and {found.tokens_out:,} out ({tokens}), ${found.usd:.2f} {mode} at the prices of {spend.prices_as_of} for "
        f"{settings.llm.model}; limit ${spend.max_usd:.2f}; nothing was spent"
    )


def prune() -> str:
    """Drop the replies about passages that are no more, such as a deleted document's."""
    alive = {chunk.id for chunk in read_chunks()}
    with Store() as store:
        gone = store.keep(lambda reply: reply.about in alive)
    return f"{gone:,} replies dropped"


def arguments() -> argparse.Namespace:
    """What stands on the command line."""
    parser = stage_parser("synthesize", __doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--estimate", action="store_const", dest="task", const=show_estimate)
    what.add_argument("--prune", action="store_const", dest="task", const=prune)
    return parser.parse_args()


if __name__ == "__main__":
    run("synthesize", arguments().task or main)
