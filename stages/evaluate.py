"""Compare BM25, base and tuned, alone and fused, and reach a verdict.

Every row has the same queries: real questions and synthetic pairs, apart. What fuses is chosen on dev and measured on
test. Writes data/judgments.parquet, a row a test query and system, and data/verdict.json, which decides what ships.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from argot import slices
from argot.advice import Facts, advise, overlap
from argot.errors import InputError
from argot.files import write_json
from argot.fusion import WEIGHTS, Fusion, Method, choose, curve
from argot.lexical import Bm25, LexicalSettings
from argot.params import Settings, load
from argot.queries import Corpus, Queries, read_corpus, read_pairs, read_questions
from argot.ranking import Hits
from argot.stage import FIGURES, run, write_figures
from argot.statistics import paired
from argot.systems import MODELS, SYSTEMS, Judged, as_table, judge, search
from argot.tables import judgments
from argot.tables.parquet import write_table
from argot.verdict import Decision, Model, ReleaseSettings, decide
from argot.words import count_words

VERDICT = Path("data/verdict.json")
BASE = Path("models/base")
PASSAGES = FIGURES / "embed-base-passages.json"
Curves = dict[Model, dict[Method, NDArray[np.float64]]]
# Synthetic queries use their passage's own words more than people do, and would have BM25 weigh too much.
TRUST_IN_SYNTHETIC = 0.5
SHIPS, STAYS = "tuned+bm25", "base+bm25"


class EvaluateSettings(Settings):
    """How the bootstrap draws, and which dev queries choose the fusion: the section `evaluate`."""

    samples: int = Field(ge=100)
    seed: int
    min_dev_questions: int = Field(ge=1)

    @property
    def draw(self) -> dict[str, int]:
        """The bootstrap's own."""
        return {"samples": self.samples, "seed": self.seed}


def main() -> str:
    """Search, fuse, measure, decide."""
    settings, rules = load("evaluate", EvaluateSettings), load("release", ReleaseSettings)
    corpus = read_corpus()
    bm25 = Bm25.build(corpus.ids, corpus.texts, load("lexical", LexicalSettings), corpus.language)
    dev = dev_queries(corpus, settings.min_dev_questions)
    curves = curves_of(dev, search(dev, corpus, bm25), corpus.ties)
    trust = 1.0 if dev.set == "questions" else TRUST_IN_SYNTHETIC
    fusions = {model: choose(curves[model], dev.cluster, trust) for model in MODELS}
    judged, carried = [], {}
    for queries in tqdm([read_questions("test", corpus), read_pairs("test", corpus)], "search", disable=None):
        found = search(queries, corpus, bm25)
        judged.append(judge(queries, found, fusions, corpus))
        if len(queries):
            carried[queries.set] = carry_over(curves_of(queries, found, corpus.ties), fusions)
    real, synthetic = judged
    decision = decide(real.evidence, synthetic.evidence, fusions, rules, **settings.draw)
    fusion = {"dev_queries": len(dev), "dev_is_real": int(dev.set == "questions"), **carried}
    advice = advise(facts(real, synthetic, decision, corpus, fusion), rules)
    write_table(judgments.PATH, pa.concat_tables([as_table(each, corpus) for each in judged]), judgments.SCHEMA)
    write_json(VERDICT, decision.as_json())
    figures = {
        **{each.queries.set: by_part(each, means) for each in judged},
        "differences": {each.queries.set: by_part(each, differences, settings.draw) for each in judged},
        "slices": {each.queries.set: by_slice(each, settings.draw) for each in judged},
        "fusion": fusion,
        "verdict": decision.numbers,
        "text": {"verdict": decision.verdict, "reason": decision.reason, "advice": advice},
    }
    write_figures("evaluate", rounded(figures))
    return f"{decision.verdict}: {decision.reason}"


def dev_queries(corpus: Corpus, enough: int) -> Queries:
    """What chooses the fusion: real questions where there are enough, else synthetic pairs."""
    real = read_questions("dev", corpus)
    return real if len(real) >= enough else read_pairs("dev", corpus)


def curves_of(queries: Queries, found: Mapping[str, Hits], ties: NDArray[np.int64]) -> Curves:
    """Each model's nDCG@10 when fused with BM25, by method: (weights, queries)."""
    methods: tuple[Method, ...] = ("convex", "rrf")
    return {
        model: {method: curve(found[model], found["bm25"], queries.relevance, method, ties) for method in methods}
        for model in MODELS
    }


def carry_over(test: Curves, fusions: Mapping[Model, Fusion]) -> dict[str, Any]:
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
    kept = {name: part for name, part in parts.items() if part.any() and (name == "test" or not part.all())}
    return {name: measure(judged, part, *more) for name, part in kept.items()}


def means(judged: Judged, part: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """Each system's mean of each metric."""
    return {
        system: {metric: values[part].mean() for metric, values in scores.items()}
        for system, scores in judged.scores.items()
    }


def differences(judged: Judged, part: NDArray[np.bool_], draw: Mapping[str, int]) -> dict[str, Any]:
    """Every two systems' paired difference of every metric, with an interval that holds for all ten at once."""
    couples = list(combinations(reversed(SYSTEMS), 2))
    scores = {
        system: np.stack([judged.scores[system][metric][part] for metric in judgments.METRICS]) for system in SYSTEMS
    }
    values = np.stack([scores[ours] - scores[theirs] for ours, theirs in couples], axis=2)  # metrics, queries, couples
    found = paired(values.transpose(1, 0, 2), judged.queries.cluster[part], draw["samples"], draw["seed"])
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
    queries, ndcg = judged.queries, judged.ndcg
    if not len(queries):
        return {}
    names = {
        "kind": [kind or "unmarked" for kind in queries.kinds],
        "length": slices.by_length(queries.texts),
        "jargon": slices.by_jargon(queries.texts, BASE),
    }
    told: dict[str, Any] = {
        name: slices.compare(values, ndcg[SHIPS], ndcg[STAYS], queries.cluster, **draw)
        for name, values in names.items()
        if values
    }
    return {**told, "documents": slices.by_document(queries.groups, ndcg[SHIPS] - ndcg[STAYS])}


def facts(real: Judged, synthetic: Judged, decision: Decision, corpus: Corpus, fusion: Mapping[str, Any]) -> Facts:
    """What the advice is worked out from."""
    shown = real if len(real.queries) else synthetic
    means = {system: float(values.mean()) for system, values in shown.ndcg.items()} if len(shown.queries) else {}
    pair_overlap, question_overlap = (
        overlap(each.queries.texts, each.queries.relevance, corpus.texts, corpus.language) for each in (synthetic, real)
    )
    lengths = [count_words(text) for text in real.queries.texts]
    embedded = read_figures(PASSAGES)
    return Facts(
        documents=len(np.unique(corpus.document)),
        training_pairs=corpus.training_pairs,
        questions=len(real.queries),
        real=shown is real,
        scores=means,
        gain=means[SHIPS] - max(means[STAYS], means["bm25"]) if means else 0.0,
        ships=decision.model,
        pair_overlap=pair_overlap,
        question_overlap=question_overlap,
        question_words=float(np.median(lengths)) if lengths else None,
        passage_words=float(np.median([count_words(text) for text in corpus.texts])),
        cut_share=embedded["cut"] / max(1, embedded["texts"]),
        fusion_lost=fusion["questions"][decision.model]["lost"] if "questions" in fusion else 0.0,
        dev_is_real=bool(fusion["dev_is_real"]),
    )


def read_figures(path: Path) -> dict[str, Any]:
    """Another stage's figures."""
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise InputError(f"{path} is missing or damaged; run `dvc repro`") from None
    return figures


def rounded(value: Any) -> Any:
    """Figures to six decimals: what lies beyond them may differ between machines."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rounded(inner) for inner in value]
    return round(float(value), 6) if isinstance(value, float) else value


if __name__ == "__main__":
    run("evaluate", main)
