"""Compare BM25, base and tuned, alone and fused, and reach a verdict.

python -m stages.evaluate --estimate    says what the vectors of `evaluate.compare` would cost

Every system gets the same queries: real questions, and synthetic pairs in a table of their own. The
weights of the fusions are chosen on dev queries and measured on test queries. Writes three files:

data/judgments.parquet    a row for each test query and system
data/systems.json         the systems with their fusions
data/verdict.json         which model ships
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from argot.core.files import read_figures, write_json
from argot.core.params import Settings, SomeSettings, load
from argot.core.parquet import write_table
from argot.core.stage import run, stage_parser, write_figures
from argot.documents.words import count_words
from argot.encoding.store.vectors import Vectors, read_vectors
from argot.errors import ParamsError
from argot.evaluation import repeated, slices
from argot.evaluation.advice import Facts, advise, foreign, overlap
from argot.evaluation.agreement import WORDS, shared, weights
from argot.evaluation.answerable import calibrated
from argot.evaluation.choosing import TWO, Weights, beside_bm25, choose, curve, grid
from argot.evaluation.judged import JudgedCorpus, Queries, read_pairs, read_questions
from argot.evaluation.managed import MachineCompare, bought, estimate, shown_passages
from argot.evaluation.metrics import ndcg
from argot.evaluation.names import ALWAYS, BM25, Sides, name, sides, with_bm25, with_tokens
from argot.evaluation.statistics import FEWEST, effective_documents, paired
from argot.evaluation.systems import (
    MODELS,
    VECTORS,
    Found,
    Judged,
    VectorModel,
    as_table,
    judge,
    search,
    stored,
    table,
    write_systems,
)
from argot.evaluation.verdict import SAME_FUSION, PairedScores, ReleaseSettings, decide
from argot.llm.calls.settings import MachineLlm, SpendSettings
from argot.llm.calls.store import Store
from argot.ranking.bm25 import Bm25
from argot.ranking.dense import Dense
from argot.ranking.fusion import DEPTH, Fusion, Method, Verdict, fuse
from argot.ranking.hits import Hits
from argot.ranking.tokens import ByToken
from argot.tables import judgments

VERDICT = Path("data/verdict.json")
BASE = Path("models/base")
FETCHED = Path("data/figures/fetch.json")
# nDCG@10 of each query at each point of the weights, by the way of fusing.
Curves = dict[Method, NDArray[np.float64]]
# All weights of BM25, vectors and tokens that are tried.
# Without tokens nothing is scored again, and the row is another one.
THREE = [point for point in grid([BM25, Dense.name, ByToken.name]) if point[ByToken.name] > 0]
# Synthetic dev queries move the weights only this share of the way from where they start. They use
# their passage's words more than people do, and ask for 0.1 on every corpus (docs/LOG.md).
TRUST_IN_SYNTHETIC = 0.2


class EvaluateSettings(Settings):
    """Which dev queries choose the fusion, and further rows: the section `evaluate`."""

    min_dev_questions: int = Field(ge=1)
    compare: list[Annotated[str, Field(pattern=r"^[\w./:-]+$")]]


class CutSettings(SomeSettings):
    """How many dimensions the release keeps, 0 being all: of the section `index`."""

    dim: int = Field(ge=0)


def main() -> str:
    """Search, choose fusions, measure, decide, write."""
    settings = load("evaluate", EvaluateSettings)
    rules, dim = load("release", ReleaseSettings), load("index", CutSettings).dim
    corpus = JudgedCorpus()
    bm25 = Bm25.stored(corpus.ids)
    # 1. The models: base and tuned with whole vectors, then with cut ones, then the managed ones.
    dev, *tests = query_sets(corpus, settings.min_dev_questions)
    managed, paid = buy(settings.compare, [dev, *tests], corpus)
    models = [*(stored(model, cut) for cut in sorted({0, dim}) for model in MODELS), *managed]

    # 2. Search once, choose the fusions, and measure every system on both tests.
    on_dev, *found = search([dev, *tests], corpus, bm25, models)
    fusions = choose_fusions(dev, on_dev, models, corpus)
    systems = table(models, fusions)
    judged = [
        judge(queries, hits, systems, corpus) for queries, hits in zip(tests, found, strict=True)
    ]

    # 3. The verdict is about the models as they would ship, that is with vectors cut to `dim`.
    compared = sides(dim, by_token=all(model.tokens for model in models[: len(MODELS)]))
    shipping = {
        system.name: system.fusion
        for system in systems
        if system.model is None or (system.model in MODELS and system.dim == dim)
    }
    real, synthetic = (
        paired_scores(one, hits, compared, shipping, corpus)
        for one, hits in zip(judged, found, strict=True)
    )
    decision = decide(real, synthetic, shipping, compared, rules)
    if dim:
        decision = replace(decision, reason=f"{decision.reason}, vectors cut to {dim} dimensions")

    # 4. What the scores of the system that ships mean, as probabilities.
    ships = next(system for system in systems if system.name == decision.verdict.system)
    sets, finds = [dev, tests[0]], [on_dev, found[0]]
    calibration, probability = calibrated(sets, finds, ships, models, bm25, corpus)
    shipped = decision.verdict.model_copy(update={"calibration": calibration})

    # 5. Explain: what the fusions lost on test, and the advice.
    fusion: dict[str, Any] = {"dev_queries": len(dev), "dev_is_real": int(dev.set == "questions")}
    for queries, hits in zip(tests, found, strict=True):
        if len(queries):
            fusion[queries.set] = carry_over(queries, hits, fusions, corpus)
    known = facts(judged, decision.verdict, compared, corpus, fusion)
    known = replace(known, managed=best_managed(shown_of(judged), managed, compared))

    # 6. Write the three files and the figures.
    judgments_table = pa.concat_tables([as_table(one, corpus) for one in judged])
    write_table(judgments.PATH, judgments_table, judgments.SCHEMA)
    write_systems(systems)
    write_json(VERDICT, shipped.model_dump())
    figures = {
        **measured(judged, compared, corpus),
        "fusion": fusion,
        "probability": probability,
        "repeated": repeated.figures(judged, models[0], compared),
        "verdict": {**decision.numbers, "looks": rules.looks},
        "paid": paid,
        "text": {
            "verdict": decision.verdict.verdict,
            "ships": decision.verdict.system,
            "reason": decision.reason,
            "power": str(decision.power),
            "advice": advise(known, rules),
            "sides": list(compared),
        },
    }
    write_figures("evaluate", rounded(figures))
    return f"{decision.verdict.verdict}: {decision.reason}"


def measured(judged: Sequence[Judged], compared: Sides, corpus: JudgedCorpus) -> dict[str, Any]:
    """The figures of every set of test queries: means, intervals, differences and slices."""
    figures: dict[str, Any] = {"intervals": {}, "differences": {}, "slices": {}}
    for one in judged:
        which = one.queries.set
        figures[which] = by_part(one, means)
        figures["intervals"][which] = by_part(one, intervals)
        figures["differences"][which] = by_part(one, differences)
        figures["slices"][which] = by_slice(one, compared, corpus)
    return figures


def choose_fusions(
    dev: Queries, on_dev: Found, models: Sequence[VectorModel], corpus: JudgedCorpus
) -> dict[str, Fusion]:
    """The fusion of each row that has several rankers.

    Real dev questions choose; where tokens take part, from where the rankers' agreement on them
    points, unjudged. Synthetic ones choose little beside BM25, and nothing where tokens take part.
    """
    is_real = dev.set == "questions"
    fusions = {}
    for model in models:
        two, three = with_bm25(model.name), with_tokens(model.name)
        start = beside_bm25("convex", model.start).weights
        trust = 1.0 if is_real else TRUST_IN_SYNTHETIC
        fusions[two] = choose(curves_of(dev, on_dev[two], corpus), TWO, dev.cluster, start, trust)
        if three in on_dev and is_real:
            found = [on_dev[two][BM25], on_dev[two][Dense.name], on_dev[three][ByToken.name]]
            curves = curves_of(dev, on_dev[three], corpus)
            fusions[three] = choose(curves, THREE, dev.cluster, weights(*found))
        elif three in on_dev:
            fusions[three] = Fusion(method="convex", weights=shared(WORDS))
    return fusions


def paired_scores(
    judged: Judged,
    found: Found,
    compared: Sides,
    fusions: Mapping[str, Fusion],
    corpus: JudgedCorpus,
) -> PairedScores:
    """What the verdict sees: all systems that could ship, and the base with tuned's fusion."""
    queries = judged.queries
    same_fusion = fuse(found[compared.stays], fusions[compared.ships], DEPTH, corpus.ties)
    relevant = queries.relevance.found(same_fusion.positions)
    scores = {row: judged.ndcg[row] for row in fusions}
    scores[SAME_FUSION] = ndcg(relevant, queries.relevance.counts)
    return PairedScores(scores, queries.documents)


def query_sets(corpus: JudgedCorpus, enough: int) -> list[Queries]:
    """The dev queries that choose the fusions, the test questions, and the test pairs.

    Real dev questions choose where there are `enough` of them, else synthetic pairs.
    """
    dev = read_questions("dev", corpus)
    tests = [read_questions("test", corpus), read_pairs("test", corpus)]
    return [dev if len(dev) >= enough else read_pairs("dev", corpus), *tests]


def texts_to_embed(sets: Sequence[Queries], corpus: JudgedCorpus) -> dict[str, str]:
    """All texts that a managed model embeds, with the id of the passage that it is or asks for."""
    texts = dict(zip(corpus.passages, corpus.ids, strict=True))
    for queries in sets:
        # A query with several relevant passages is about the first of them.
        firsts = queries.relevance.items[queries.relevance.offsets[:-1]]
        for text, place in zip(queries.texts, firsts, strict=True):
            texts.setdefault(text, corpus.ids[place])
    return texts


def buy(
    models: Sequence[str], sets: Sequence[Queries], corpus: JudgedCorpus
) -> tuple[list[VectorModel], dict[str, Any]]:
    """The managed models to compare with, and what their vectors have cost, by model.

    Nothing is sent anywhere where `models` is empty.
    """
    systems, paid = [], {}
    texts = texts_to_embed(sets, corpus) if models else {}
    shown = shown_passages(corpus) if models else {}
    for model in dict.fromkeys(models):
        if model in ALWAYS:
            raise ParamsError(
                f"params.yaml: evaluate.compare: '{model}' is a row already; name a managed model"
            )
        llm, machine = load("machine.llm", MachineLlm), load("machine.compare", MachineCompare)
        spend = load("spend", SpendSettings)
        vectors, replies = bought(model, texts, shown, llm, machine, spend)
        systems.append(VectorModel(model, partial(same, vectors)))
        paid[model] = replies.figures()
    return systems, paid


def same(vectors: Vectors, kind: str) -> Vectors:
    """The vectors of a managed model: one store holds those of passages, pairs and questions."""
    return vectors


def curves_of(queries: Queries, hits: Mapping[str, Hits], corpus: JudgedCorpus) -> Curves:
    """nDCG@10 of each query by way of fusing: (weights, queries), at `points_of` the rankers.

    Tokens are fused by convex sums alone: ranks gained nothing there (docs/LOG.md).
    """
    methods: list[Method] = ["convex"] if ByToken.name in hits else ["convex", "rrf"]
    return {
        method: curve(hits, points_of(hits), queries.relevance, method, corpus.ties)
        for method in methods
    }


def points_of(hits: Mapping[str, Hits]) -> list[Weights]:
    """The weights that are tried for these rankers."""
    return THREE if ByToken.name in hits else TWO


def carry_over(
    queries: Queries, found: Found, fusions: Mapping[str, Fusion], corpus: JudgedCorpus
) -> dict[str, Any]:
    """How the choice of weights does on test, by row.

    That is nDCG@10 with the chosen fusion and with the weights that are best on test; beside BM25
    alone, with RRF and at every weight too.
    """
    figures: dict[str, Any] = {}
    for row, chosen in fusions.items():
        curves = curves_of(queries, found[row], corpus)
        means = {method: values.mean(axis=1) for method, values in curves.items()}
        points, by_point = points_of(found[row]), means[chosen.method]
        best = int(by_point.argmax())
        given = (found[row], [chosen.weights], queries.relevance, chosen.method, corpus.ties)
        mine = float(curve(*given).mean())
        figures[row] = {
            "weights": chosen.weights,
            "ndcg@10": mine,
            "best_weights": points[best],
            "best_ndcg@10": by_point[best],
            "lost": by_point[best] - mine,
        }
        if "rrf" in means:
            convex, rrf = means["convex"], means["rrf"]
            equal = points.index(beside_bm25("rrf", 0.5).weights)
            figures[row] |= {
                "rrf_equal_ndcg@10": rrf[equal],
                "rrf_best_ndcg@10": rrf.max(),
                "convex_best_ndcg@10": convex.max(),
                "curve": [
                    {"weight": point["dense"], "convex": value, "rrf": other}
                    for point, value, other in zip(points, convex, rrf, strict=True)
                ],
            }
    return figures


def by_part(judged: Judged, measure: Any) -> dict[str, Any]:
    """`measure` of the whole test, and of its two parts where neither is empty.

    The parts are queries about documents that were trained on (seen), and about others (held_out).
    """
    seen = judged.queries.seen
    parts = {"test": np.ones(len(seen), dtype=bool), "seen": seen, "held_out": ~seen}
    kept = {
        name: part
        for name, part in parts.items()
        if part.any() and (name == "test" or not part.all())
    }
    return {name: measure(judged, part) for name, part in kept.items()}


def means(judged: Judged, part: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Each system's mean of each metric."""
    return {
        system: {metric: values[part].mean() for metric, values in scores.items()}
        for system, scores in judged.scores.items()
    }


def intervals(judged: Judged, part: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """How far another set of documents' questions might move each system's mean nDCG@10.

    Nothing can be said of that where nearly all questions are about one document.
    """
    documents = judged.queries.documents[part]
    if effective_documents(documents) < FEWEST:
        return {}
    values = np.stack([ndcg[part] for ndcg in judged.ndcg.values()], axis=1)
    found = paired(values, documents)
    return {
        system: {"low": max(0.0, found.low[at]), "high": min(1.0, found.high[at])}
        for at, system in enumerate(judged.ndcg)
    }


def differences(judged: Judged, part: NDArray[np.bool_]) -> dict[str, Any]:
    """Every two systems' paired difference of every metric.

    The intervals of one metric hold for all pairs of systems at once.
    """
    pairs = list(combinations(reversed(judged.scores), 2))
    scores = {}
    for system, by_metric in judged.scores.items():
        scores[system] = np.stack([by_metric[metric][part] for metric in judgments.METRICS], axis=1)
    # One number for each query, metric and pair of systems, in this order of axes.
    values = np.stack([scores[ours] - scores[theirs] for ours, theirs in pairs], axis=2)
    found = paired(values, judged.queries.documents[part])
    wins, losses, ties = (counted.sum(axis=0) for counted in (values > 0, values < 0, values == 0))

    def figures(metric: int, pair: int) -> dict[str, Any]:
        return {
            "difference": found.mean[metric, pair],
            "low": found.joint_low[metric, pair],
            "high": found.joint_high[metric, pair],
            "wins": int(wins[metric, pair]),
            "losses": int(losses[metric, pair]),
            "ties": int(ties[metric, pair]),
        }

    rows = {}
    for pair, (ours, theirs) in enumerate(pairs):
        names = enumerate(judgments.METRICS)
        rows[f"{ours} - {theirs}"] = {name: figures(metric, pair) for metric, name in names}
    return rows


def by_slice(judged: Judged, compared: Sides, corpus: JudgedCorpus) -> dict[str, Any]:
    """nDCG@10 of what would ship against what would stay, by kinds of queries and by document."""
    queries = judged.queries
    stays, ships = judged.ndcg[compared.stays], judged.ndcg[compared.ships]
    if not len(queries):
        return {}
    # A query with several relevant passages is about the first of them.
    firsts = queries.relevance.items[queries.relevance.offsets[:-1]]
    names = {
        "kind": [kind or "unmarked" for kind in queries.kinds],
        "length": slices.by_length(queries.texts),
        "jargon": slices.by_jargon(queries.texts, BASE),
        "language": slices.by_language(queries.texts, [corpus.languages[at] for at in firsts]),
    }
    figures: dict[str, Any] = {
        name: slices.compare(values, ships, stays, queries.documents)
        for name, values in names.items()
        if values
    }
    return {**figures, "documents": slices.by_document(queries.groups, ships - stays)}


def facts(
    judged: Sequence[Judged],
    verdict: Verdict,
    compared: Sides,
    corpus: JudgedCorpus,
    fusion: Mapping[str, Any],
) -> Facts:
    """What the advice is worked out from; `judged` are real questions and synthetic pairs."""
    real, synthetic = judged
    shown = shown_of(judged)
    means, gain = {}, 0.0
    if len(shown.queries):
        means = {system: float(values.mean()) for system, values in shown.ndcg.items()}
        gain = means[compared.ships] - max(means[compared.stays], means[BM25])

    def overlap_of(queries: Queries) -> float | None:
        return overlap(queries.texts, queries.relevance, corpus.passages, corpus.language)

    lengths = [count_words(text) for text in real.queries.texts]
    truncated = read_vectors(VECTORS / "base" / "passages").truncated
    carried = fusion.get("questions", {}).get(verdict.system, {})
    return Facts(
        documents=len(np.unique(corpus.document)),
        training_pairs=corpus.training_pairs,
        questions=len(real.queries),
        effective_documents=effective_documents(real.queries.documents),
        real=shown is real,
        scores=means,
        gain=gain,
        ships=verdict.model,
        verdict=verdict.verdict,
        pair_overlap=overlap_of(synthetic.queries),
        question_overlap=overlap_of(real.queries),
        question_words=float(np.median(lengths)) if lengths else None,
        passage_words=float(np.median([count_words(text) for text in corpus.passages])),
        cut_share=float(truncated.mean()),
        fusion_lost=carried.get("lost", 0.0),
        dev_is_real=bool(fusion["dev_is_real"]),
        foreign=foreign(corpus.languages, read_figures(FETCHED, ("languages",))["languages"]),
    )


def shown_of(judged: Sequence[Judged]) -> Judged:
    """Real questions where there are some, else synthetic pairs."""
    return next((one for one in judged if len(one.queries)), judged[-1])


def best_managed(
    judged: Judged, managed: Sequence[VectorModel], compared: Sides
) -> tuple[str, float] | None:
    """The managed model's row that is significantly better than all that could ship; its gain.

    None where no row is.
    """
    # The rows of managed models, against the best of those that could ship.
    ndcg = judged.ndcg
    rows = [system for model in managed for system in (model.name, with_bm25(model.name))]
    if not rows or not len(judged.queries):
        return None
    best = max((*compared, BM25), key=lambda system: float(ndcg[system].mean()))
    gains = np.stack([ndcg[system] - ndcg[best] for system in rows], axis=1)
    found = paired(gains, judged.queries.documents)
    first = int(found.mean.argmax())
    if found.joint_low[first] <= 0:
        return None
    return name(rows[first]), float(found.mean[first])


def rounded(value: Any) -> Any:
    """Figures to six decimals: further ones may differ between machines."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(inner) for inner in value]
    return round(float(value), 6) if isinstance(value, float) else value


def show_estimate() -> str:
    """Texts, tokens and dollars of the vectors of `evaluate.compare` that are not there yet."""
    settings, spend = load("evaluate", EvaluateSettings), load("spend", SpendSettings)
    corpus = JudgedCorpus()
    texts = texts_to_embed(query_sets(corpus, settings.min_dev_questions), corpus)
    shown = shown_passages(corpus) if settings.compare else {}
    lines = []
    for model in settings.compare:
        with Store() as store:
            found = estimate(model, texts, shown, store, spend)
        lines.append(
            f"{model}: {found.requests:,} texts, {found.there:,} vectors are there; the others: "
            f"{found.tokens_in:,} tokens (guessed at four letters a token), ${found.usd:.2f}"
        )
    costs = "; ".join(lines) or "nothing to pay: evaluate.compare is empty"
    return f"{costs}; limit ${spend.max_usd:.2f}, prices of {spend.prices_as_of}; nothing was spent"


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = stage_parser("evaluate", __doc__)
    parser.add_argument("--estimate", action="store_const", dest="task", const=show_estimate)
    return parser.parse_args()


if __name__ == "__main__":
    run("evaluate", arguments().task or main)
