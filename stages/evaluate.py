"""Compare BM25, base and tuned, alone and fused, and reach a verdict.

python -m stages.evaluate --estimate    what the vectors of `evaluate.compare` would cost; asks and spends nothing

Every row has the same queries: real questions and synthetic pairs, apart. What fuses is chosen on dev and measured on
test. Writes data/judgments.parquet, a row a test query and system, and data/verdict.json, which decides what ships.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from argot.core.files import write_json
from argot.core.params import Settings, SomeSettings, load
from argot.core.parquet import write_table
from argot.core.stage import FIGURES, read_figures, run, stage_parser, write_figures
from argot.documents.words import count_words
from argot.errors import ParamsError
from argot.evaluation import slices
from argot.evaluation.advice import Facts, advise, overlap
from argot.evaluation.judged import Corpus, Queries, read_corpus, read_pairs, read_questions
from argot.evaluation.managed import MachineCompare, bought, estimate
from argot.evaluation.names import ALWAYS, BM25, name, row, with_bm25
from argot.evaluation.statistics import paired
from argot.evaluation.systems import MODELS, Dense, Judged, as_table, judge, search, stored
from argot.evaluation.verdict import Model, ReleaseSettings, decide
from argot.llm.calls.settings import MachineLlm, SpendSettings
from argot.llm.calls.store import Store
from argot.search.bm25 import Bm25, LexicalSettings
from argot.search.fusion import WEIGHTS, Fusion, Method, choose, curve
from argot.search.hits import Hits
from argot.tables import judgments

VERDICT = Path("data/verdict.json")
BASE = Path("models/base")
PASSAGES = FIGURES / "embed-base-passages.json"
Curves = dict[
    str, dict[Method, NDArray[np.float64]]
]  # by the name of a way of searching by vectors
# Synthetic queries use their passage's own words more than people do: they ask for 0.1 on every corpus (docs/LOG.md).
TRUST_IN_SYNTHETIC = 0.2


class EvaluateSettings(Settings):
    """How the bootstrap draws, and which dev queries choose the fusion: the section `evaluate`."""

    samples: int = Field(ge=100)
    seed: int
    min_dev_questions: int = Field(ge=1)
    compare: list[Annotated[str, Field(pattern=r"^[\w./:-]+$")]]

    @property
    def draw(self) -> dict[str, int]:
        """The bootstrap's own."""
        return {"samples": self.samples, "seed": self.seed}


class Cut(SomeSettings):
    """How many dimensions the release keeps, 0 being all: of the section `index`."""

    dim: int = Field(ge=0)


def main() -> str:
    """Search, fuse, measure, decide."""
    settings, rules, dim = (
        load("evaluate", EvaluateSettings),
        load("release", ReleaseSettings),
        load("index", Cut).dim,
    )
    corpus = read_corpus()
    bm25 = Bm25.build(corpus.ids, corpus.texts, load("lexical", LexicalSettings), corpus.language)
    dev, *tests = asked(corpus, settings.min_dev_questions)
    managed, paid = buy(settings.compare, [dev, *tests], corpus)
    systems = [*(stored(model, cut) for cut in sorted({0, dim}) for model in MODELS), *managed]
    curves = curves_of(dev, search(dev, corpus, bm25, systems), corpus.ties)
    trust = 1.0 if dev.set == "questions" else TRUST_IN_SYNTHETIC
    fusions = {
        each.name: choose(curves[each.name], dev.cluster, trust, each.share) for each in systems
    }
    judged, carried = [], {}
    for queries in tqdm(tests, "search", disable=None):
        found = search(queries, corpus, bm25, systems)
        judged.append(judge(queries, found, fusions, corpus, dim))
        if len(queries):
            carried[queries.set] = carry_over(curves_of(queries, found, corpus.ties), fusions)
    shipping = {model: fusions[row(model, dim)] for model in MODELS}
    real, synthetic = judged
    decision = decide(real.evidence, synthetic.evidence, shipping, rules, **settings.draw)
    if dim:
        decision = replace(decision, reason=f"{decision.reason}, vectors cut to {dim} dimensions")
    fusion = {"dev_queries": len(dev), "dev_is_real": int(dev.set == "questions"), **carried}
    known = facts(judged, decision.model, dim, corpus, fusion)
    advice = advise(replace(known, managed=ahead(shown_of(judged), managed, settings.draw)), rules)
    write_table(
        judgments.PATH,
        pa.concat_tables([as_table(each, corpus) for each in judged]),
        judgments.SCHEMA,
    )
    write_json(VERDICT, decision.as_json())
    figures = {
        **{each.queries.set: by_part(each, means) for each in judged},
        "differences": {
            each.queries.set: by_part(each, differences, settings.draw) for each in judged
        },
        "slices": {each.queries.set: by_slice(each, settings.draw) for each in judged},
        "fusion": fusion,
        "verdict": decision.numbers,
        "paid": paid,
        "text": {
            "verdict": decision.verdict,
            "reason": decision.reason,
            "advice": advice,
            "sides": list(judged[0].sides),
        },
    }
    write_figures("evaluate", rounded(figures))
    return f"{decision.verdict}: {decision.reason}"


def asked(corpus: Corpus, enough: int) -> list[Queries]:
    """What chooses the fusion (real dev questions where there are enough, else synthetic pairs), and both tests."""
    dev = read_questions("dev", corpus)
    tests = [read_questions("test", corpus), read_pairs("test", corpus)]
    return [dev if len(dev) >= enough else read_pairs("dev", corpus), *tests]


def wanted(sets: Sequence[Queries], corpus: Corpus) -> dict[str, str]:
    """All texts that a compared model must know, each with the passage that it is, or asks for."""
    texts = dict(zip(corpus.texts, corpus.ids, strict=True))
    for queries in sets:
        firsts = queries.relevance.items[queries.relevance.offsets[:-1]]
        for text, place in zip(queries.texts, firsts, strict=True):
            texts.setdefault(text, corpus.ids[place])
    return texts


def buy(
    models: Sequence[str], sets: Sequence[Queries], corpus: Corpus
) -> tuple[list[Dense], dict[str, Any]]:
    """The managed models to compare with, and what their vectors have cost; nothing is asked where there are none."""
    systems, paid = [], {}
    texts = wanted(sets, corpus) if models else {}
    for model in dict.fromkeys(models):
        if model in ALWAYS:
            raise ParamsError(
                f"params.yaml: evaluate.compare: '{model}' is a row already; name a managed model"
            )
        how = (
            load("machine.llm", MachineLlm),
            load("machine.compare", MachineCompare),
            load("spend", SpendSettings),
        )
        vectors, replies = bought(model, texts, *how)
        systems.append(Dense(model, lambda _, vectors=vectors: vectors))  # type: ignore[misc]
        paid[model] = replies.figures()
    return systems, paid


def curves_of(queries: Queries, found: Mapping[str, Hits], ties: NDArray[np.int64]) -> Curves:
    """Each model's nDCG@10 when fused with BM25, by method: (weights, queries)."""
    methods: tuple[Method, ...] = ("convex", "rrf")
    return {
        model: {
            method: curve(hits, found[BM25], queries.relevance, method, ties) for method in methods
        }
        for model, hits in found.items()
        if model != BM25
    }


def carry_over(test: Curves, fusions: Mapping[str, Fusion]) -> dict[str, Any]:
    """How dev's choice does on test: nDCG@10 by the chosen fusion, by the best weight on test, and by RRF."""
    told: dict[str, Any] = {}
    for model, chosen in fusions.items():
        means = {method: values.mean(axis=1) for method, values in test[model].items()}
        convex, rrf, mine = means["convex"], means["rrf"], means[chosen.method]
        told[model] = {
            "weight": chosen.weight,
            "ndcg@10": mine[WEIGHTS.index(chosen.weight)],
            "best_weight": WEIGHTS[int(mine.argmax())],
            "best_ndcg@10": mine.max(),
            "lost": mine.max() - mine[WEIGHTS.index(chosen.weight)],
            "rrf_equal_ndcg@10": rrf[WEIGHTS.index(0.5)],
            "rrf_best_ndcg@10": rrf.max(),
            "convex_best_ndcg@10": convex.max(),
            "curve": [
                {"weight": weight, "convex": value, "rrf": other}
                for weight, value, other in zip(WEIGHTS, convex, rrf, strict=True)
            ],
        }
    return told


def by_part(judged: Judged, measure: Any, *more: Any) -> dict[str, Any]:
    """`measure` of the whole test and, where there are both, of queries on documents trained on, and held out."""
    seen = judged.queries.seen
    parts = {"test": np.ones(len(seen), dtype=bool), "seen": seen, "held_out": ~seen}
    kept = {
        name: part
        for name, part in parts.items()
        if part.any() and (name == "test" or not part.all())
    }
    return {name: measure(judged, part, *more) for name, part in kept.items()}


def means(judged: Judged, part: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Each system's mean of each metric."""
    return {
        system: {metric: values[part].mean() for metric, values in scores.items()}
        for system, scores in judged.scores.items()
    }


def differences(judged: Judged, part: NDArray[np.bool_], draw: Mapping[str, int]) -> dict[str, Any]:
    """Every two systems' paired difference of every metric, with an interval that holds for all of them at once."""
    couples = list(combinations(reversed(judged.scores), 2))
    scores = {
        system: np.stack([values[metric][part] for metric in judgments.METRICS])
        for system, values in judged.scores.items()
    }
    values = np.stack(
        [scores[ours] - scores[theirs] for ours, theirs in couples], axis=2
    )  # metrics, queries, couples
    found = paired(
        values.transpose(1, 0, 2), judged.queries.cluster[part], draw["samples"], draw["seed"]
    )
    return {
        f"{ours} - {theirs}": {
            metric: {
                "difference": found.mean[at, couple],
                "low": found.joint_low[at, couple],
                "high": found.joint_high[at, couple],
                "wins": int((values[at, :, couple] > 0).sum()),
                "losses": int((values[at, :, couple] < 0).sum()),
                "ties": int((values[at, :, couple] == 0).sum()),
            }
            for at, metric in enumerate(judgments.METRICS)
        }
        for couple, (ours, theirs) in enumerate(couples)
    }


def by_slice(judged: Judged, draw: Mapping[str, int]) -> dict[str, Any]:
    """nDCG@10 of what would ship against what would stay, by kinds of queries and by document."""
    queries, (stays, ships) = judged.queries, (judged.ndcg[side] for side in judged.sides)
    if not len(queries):
        return {}
    names = {
        "kind": [kind or "unmarked" for kind in queries.kinds],
        "length": slices.by_length(queries.texts),
        "jargon": slices.by_jargon(queries.texts, BASE),
    }
    told: dict[str, Any] = {
        name: slices.compare(values, ships, stays, queries.cluster, **draw)
        for name, values in names.items()
        if values
    }
    return {**told, "documents": slices.by_document(queries.groups, ships - stays)}


def facts(
    judged: Sequence[Judged], ships: Model, dim: int, corpus: Corpus, fusion: Mapping[str, Any]
) -> Facts:
    """What the advice is worked out from; `judged` are real questions and synthetic pairs, in this order."""
    real, synthetic = judged
    shown = shown_of(judged)
    means = (
        {system: float(values.mean()) for system, values in shown.ndcg.items()}
        if len(shown.queries)
        else {}
    )
    pair_overlap, question_overlap = (
        overlap(each.queries.texts, each.queries.relevance, corpus.texts, corpus.language)
        for each in (synthetic, real)
    )
    lengths = [count_words(text) for text in real.queries.texts]
    embedded = read_figures(PASSAGES)
    return Facts(
        documents=len(np.unique(corpus.document)),
        training_pairs=corpus.training_pairs,
        questions=len(real.queries),
        real=shown is real,
        scores=means,
        gain=means[shown.sides.ships] - max(means[shown.sides.stays], means[BM25])
        if means
        else 0.0,
        ships=ships,
        pair_overlap=pair_overlap,
        question_overlap=question_overlap,
        question_words=float(np.median(lengths)) if lengths else None,
        passage_words=float(np.median([count_words(text) for text in corpus.texts])),
        cut_share=embedded["cut"] / max(1, embedded["texts"]),
        fusion_lost=fusion["questions"][row(ships, dim)]["lost"] if "questions" in fusion else 0.0,
        dev_is_real=bool(fusion["dev_is_real"]),
    )


def shown_of(judged: Sequence[Judged]) -> Judged:
    """Real questions where there are some, else synthetic pairs."""
    return next((each for each in judged if len(each.queries)), judged[-1])


def ahead(
    judged: Judged, managed: Sequence[Dense], draw: Mapping[str, int]
) -> tuple[str, float] | None:
    """The managed model's row that is surely better than all that could ship, and by how much; None where none is."""
    ndcg = judged.ndcg
    rows = [each for dense in managed for each in (dense.name, with_bm25(dense.name))]
    if not rows or not len(judged.queries):
        return None
    best = max((*judged.sides, BM25), key=lambda system: float(ndcg[system].mean()))
    gains = paired(
        np.stack([ndcg[each] - ndcg[best] for each in rows], axis=1), judged.queries.cluster, **draw
    )
    first = int(gains.mean.argmax())
    return (name(rows[first]), float(gains.mean[first])) if gains.joint_low[first] > 0 else None


def rounded(value: Any) -> Any:
    """Figures to six decimals: what lies beyond them may differ between machines."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(inner) for inner in value]
    return round(float(value), 6) if isinstance(value, float) else value


def show_estimate() -> str:
    """Texts, tokens and dollars of the vectors of `evaluate.compare` that are not there yet."""
    settings, spend = load("evaluate", EvaluateSettings), load("spend", SpendSettings)
    corpus = read_corpus()
    texts = wanted(asked(corpus, settings.min_dev_questions), corpus)
    lines = []
    for model in settings.compare:
        with Store() as store:
            found = estimate(model, texts, store, spend)
        lines.append(
            f"{model}: {found.requests:,} texts, {found.there:,} vectors are there; the others: "
            f"{found.tokens_in:,} tokens (guessed at four letters a token), ${found.usd:.2f}"
        )
    told = "; ".join(lines) or "nothing to pay: evaluate.compare is empty"
    return f"{told}; limit ${spend.max_usd:.2f}, prices of {spend.prices_as_of}; nothing was spent"


def arguments() -> argparse.Namespace:
    """What stands on the command line."""
    parser = stage_parser("evaluate", __doc__)
    parser.add_argument("--estimate", action="store_const", dest="task", const=show_estimate)
    return parser.parse_args()


if __name__ == "__main__":
    run("evaluate", arguments().task or main)
