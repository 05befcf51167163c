"""What to do next, worked out from the user's own data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from argot.evaluation.metrics import Relevance
from argot.evaluation.verdict import ReleaseSettings
from argot.ranking.bm25 import Words

# Below these numbers of documents and training pairs, more of them are advised.
FEW_DOCUMENTS, FEW_PAIRS = 500, 1000
# A fusion that loses more nDCG@10 than this should be chosen on real questions.
LOST_BY_FUSION = 0.01
# A gain of nDCG@10 below this is small, and the advice looks for a reason.
SMALL_GAIN = 0.05
# If more than this share of the passages is cut off by the model's window, the advice says so.
MUCH_CUT = 0.05
# If at least this share of the passages is in a language that the base model doesn't know, the
# advice says so.
MUCH_FOREIGN = 0.1
# What to try where a stronger base model may help, and where an LLM may write queries.
OTHER_MODEL = "dvc exp run -S fetch.model=BAAI/bge-base-en-v1.5 -S fetch.revision=COMMIT"
MULTILINGUAL = "dvc exp run -S fetch.model=intfloat/multilingual-e5-small -S fetch.revision=COMMIT"
BY_LLM = "dvc exp run -S synthesize.llm.provider=PROVIDER -S synthesize.llm.model=MODEL"
# The overlap of words is counted for about this many queries, evenly spread over all of them.
LOOKED_AT = 2000


class Advice(NamedTuple):
    """One thing to do, and the command that does it, where one command does."""

    code: str
    text: str
    command: str = ""


@dataclass(frozen=True)
class Facts:
    """What is known of the corpus, the queries and the outcome.

    The overlap or the length of queries is None where there is no query.
    """

    documents: int
    training_pairs: int
    questions: int
    effective_documents: float  # that the questions ask about
    real: bool  # do scores and gain come from real questions?
    scores: Mapping[str, float]  # nDCG@10 of each system
    gain: float  # of tuned + BM25 over the better of base + BM25 and BM25
    ships: str
    verdict: str
    pair_overlap: float | None
    question_overlap: float | None
    question_words: float | None
    passage_words: float
    cut_share: float
    fusion_lost: float  # nDCG@10 on real questions that a better fusion weight would have won
    dev_is_real: bool
    # The share of passages in each language that the base model's card doesn't name.
    foreign: Mapping[str, float] = field(default_factory=dict)
    # The managed model that is significantly better than all that could ship, and by how much.
    managed: tuple[str, float] | None = None


def advise(facts: Facts, rules: ReleaseSettings) -> list[dict[str, str]]:
    """The advice that applies, the decision first; `command` does it, or is empty."""
    return [advice._asdict() for advice in _all(facts, rules)]


def overlap(
    queries: Sequence[str], relevance: Relevance, texts: Sequence[str], language: str
) -> float | None:
    """The mean share of a query's terms that its passage holds; terms are those of BM25.

    Of several relevant passages the one with the largest share counts. None without queries.

    """
    words = Words(language)
    step = max(1, len(queries) // LOOKED_AT)
    shares = []
    for at in range(0, len(queries), step):
        asked = set(words.of(queries[at]))
        if not asked:
            continue
        # A passage with many copies would make this slow; twenty of them are enough.
        places = relevance.items[relevance.offsets[at] : relevance.offsets[at + 1]][:20]
        shared = [asked.intersection(words.indexed(texts[place])) for place in places]
        shares.append(max(len(terms) for terms in shared) / len(asked))
    return float(np.mean(shares)) if shares else None


def _all(facts: Facts, rules: ReleaseSettings) -> Iterator[Advice]:
    yield _decision(facts, rules)
    yield from _managed(facts)
    yield from _languages(facts)
    yield from _fusion(facts)
    yield from _data(facts)
    if facts.gain < SMALL_GAIN:
        yield from _small_gain(facts)
    yield from _passages(facts)


def _decision(facts: Facts, rules: ReleaseSettings) -> Advice:
    """What to do about the release: use it, or ask people first."""
    if facts.verdict == "unproven" and facts.questions < rules.min_questions:
        return Advice(
            "few_questions",
            f"Ask people before you decide: {facts.questions:,} real test questions are too few to "
            f"prove anything; {rules.min_questions:,} are needed. `argot label` takes ten "
            "judgments in two minutes; a search log or a help desk has the questions. Until then "
            f"the {facts.ships} model ships.",
            "argot label",
        )
    if facts.verdict == "unproven":
        return Advice(
            "few_asked_about",
            f"Ask about other documents before you decide: the {facts.questions:,} real test "
            f"questions tell no more than questions about {facts.effective_documents:.1f} "
            "documents would, because a few documents have most of them; "
            f"{rules.min_documents} are needed. Until then the {facts.ships} model ships.",
            "argot label",
        )
    if facts.verdict == "tuned":
        return Advice(
            "use_tuned",
            "Use the release: on your own questions tuning passed the test that `release` in "
            "params.yaml sets.",
            "argot serve",
        )
    other = "" if facts.managed else "try a larger or a managed model, and "
    return Advice(
        "keep_general",
        "Use the release as it is: tuning the general model gained nothing significant. To gain "
        f"more, {other}tune again when documents or real questions have doubled.",
        "argot serve",
    )


def _fusion(facts: Facts) -> Iterator[Advice]:
    if facts.fusion_lost > LOST_BY_FUSION and not facts.dev_is_real:
        yield Advice(
            "choose_on_real",
            "Synthetic pairs chose how BM25 and the model are fused, and lost "
            f"{100 * facts.fusion_lost:.1f} points of nDCG@10 by it on real questions. "
            'Mark 20 or more of them, better 50, with "split": "dev".',
        )


def _data(facts: Facts) -> Iterator[Advice]:
    if facts.documents < FEW_DOCUMENTS:
        yield Advice(
            "few_documents",
            f"{facts.documents:,} documents are few: under {FEW_DOCUMENTS}, BM25 with a general "
            "model is hard to beat. More documents in `data/raw` help more than more pairs from "
            "the same ones.",
            "dvc repro",
        )
    if facts.training_pairs < FEW_PAIRS:
        yield Advice(
            "few_pairs",
            f"{facts.training_pairs:,} training pairs are few: contrastive training wants "
            f"{FEW_PAIRS:,} and more. Add documents, or let an LLM write queries "
            "(`synthesize` in params.yaml).",
            BY_LLM,
        )
    best = max(facts.scores, key=lambda system: facts.scores[system], default="")
    if best == "bm25":
        doubt = "Synthetic queries often do; ask real ones before you believe it. "
        yield Advice(
            "bm25_ahead",
            f"BM25 alone (nDCG@10 {facts.scores['bm25']:.3f}) is ahead of every row with a model: "
            f"the queries use the documents' own words. {'' if facts.real else doubt}"
            "A stronger base model (`fetch.model`) is worth more here than more training.",
            OTHER_MODEL,
        )


def _small_gain(facts: Facts) -> Iterator[Advice]:
    points = (
        f"Tuning moved nDCG@10 by {100 * facts.gain:+.1f} points, less than {100 * SMALL_GAIN:.0f}"
    )
    pairs, asked = facts.pair_overlap, facts.question_overlap
    shared = "" if pairs is None else f"synthetic queries share {pairs:.0%} of their search terms"
    if pairs is not None and asked is not None and pairs > asked + 0.1:
        yield Advice(
            "easy_pairs",
            f"{points}, and the {shared} with their passage, real questions {asked:.0%}: the "
            'pairs are too easy. Put questions with "split": "train" into data/queries, or let an '
            "LLM ask in other words than the passage's.",
            BY_LLM,
        )
    elif pairs is not None:
        likewise = "" if asked is None else f", much as real questions do ({asked:.0%})"
        yield Advice(
            "small_gain",
            f"{points}; the {shared} with their passage{likewise}. Look at "
            "data/judgments.parquet for what is missed, and at the queries' kinds in the report's "
            "slices.",
        )


def _managed(facts: Facts) -> Iterator[Advice]:
    if facts.managed:
        name, points = facts.managed
        yield Advice(
            "managed_ahead",
            f"{name} is significantly better than all that could ship here, by "
            f"{100 * points:.1f} points of nDCG@10{'' if facts.real else ' on synthetic pairs'}. "
            "Where its price, its delay and sending it your documents and questions are no "
            "hindrance, keep it.",
        )


def _languages(facts: Facts) -> Iterator[Advice]:
    shares = {name: share for name, share in facts.foreign.items() if share >= MUCH_FOREIGN}
    if shares:
        named = ", ".join(f"{share:.0%} in {name}" for name, share in sorted(shares.items()))
        yield Advice(
            "foreign_language",
            f"The base model's card doesn't name the language of many passages ({named}), so that "
            "its vectors say little of them. Take a multilingual model (docs/experiments.md).",
            MULTILINGUAL,
        )


def foreign(languages: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    """The share of `languages`, one a passage, of each that is not among those `known`.

    Nothing is foreign to a multilingual model, nor to one whose card names no language.
    """
    if not known or "multilingual" in known:
        return {}
    counts = Counter(languages)
    return {name: counts[name] / len(languages) for name in sorted(counts) if name not in known}


def _passages(facts: Facts) -> Iterator[Advice]:
    if facts.question_words and facts.question_words > facts.passage_words / 2:
        yield Advice(
            "long_questions",
            f"The median question has {facts.question_words:.0f} words, the median passage "
            f"{facts.passage_words:.0f}: such questions ask for more than a passage holds. "
            "Raise `chunk.max_words`.",
            "dvc exp run -S chunk.max_words=WORDS",
        )
    if facts.cut_share > MUCH_CUT:
        yield Advice(
            "cut_passages",
            f"{facts.cut_share:.0%} of the passages are longer than the model's window, and lose "
            "their ends. Lower `chunk.max_words`, or take a base model with a longer window "
            "(`fetch.model`).",
            "dvc exp run -S chunk.max_words=WORDS",
        )
