"""What the report draws: the stages' figures and the judgments, turned into charts by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from argot.evaluation.names import Sides, named
from argot.evaluation.statistics import paired
from argot.report.charts import NAMES, Bar, Point, intervals, lines, tone

SAMPLES, SEED = 2000, 13  # of the error bars that are only drawn
TONES = {"bm25": "var(--bm25)", "base": "var(--base)", "tuned": "var(--tuned)"}
OTHER = "var(--soft)"
LONG, WIDE = 14, 194  # names of more letters need so many pixels
SLICES = {
    "kind": "Kind of query",
    "length": "Length of the query",
    "jargon": "Words that the base model splits",
}
MOST_SLICES = 12
Figures = Mapping[str, Any]


class Part(NamedTuple):
    """A part of the test: how many queries, each system with its error bar, each system against base + BM25."""

    queries: int
    systems: str
    against_base: str


def draw_parts(evaluation: Figures, table: pa.Table, name: str) -> dict[str, Part]:
    """One set's charts: of the whole test, and of documents that were seen in training or held out."""
    drawn = {}
    for part in ("test", "seen", "held_out"):
        differences = evaluation["differences"].get(name, {}).get(part)
        if differences is None or part not in evaluation[name]:
            continue
        rows = table.filter(pc.field("set") == name)
        if part != "test":
            rows = rows.filter(pc.field("seen") == (part == "seen"))
        systems = named(evaluation[name][part])
        names = NAMES if max(map(len, systems.values())) <= LONG else WIDE
        drawn[part] = Part(
            rows.num_rows // len(systems),
            intervals(_means(rows, systems), "nDCG@10", names=names),
            intervals(
                _against(differences, systems, sides_of(evaluation).stays),
                "points",
                zero=True,
                names=names,
            ),
        )
    return drawn


def draw_training(train: Figures) -> dict[str, str]:
    """The curve per pass, its loss, and the merge's weights; none where nothing was measured on dev."""
    drawn = {}
    curve, base = train.get("curve", []), train.get("dev_base")
    if train.get("dev_queries") and curve:
        start = [] if base is None else [Point(0, base, TONES["base"])]
        tuned = [Point(row["pass"], row["ndcg@10"], TONES["tuned"]) for row in curve]
        # The base stands at pass 0, in its own colour, and is where the line begins.
        drawn["curve"] = lines(
            [*[point._replace(tone=TONES["tuned"]) for point in start], *tuned],
            "pass over the passages",
            "nDCG@10 on dev",
        )
        merged = sorted((float(weight), value) for weight, value in train.get("merged", {}).items())
        points = [
            Point(weight, value, TONES["tuned"])
            for weight, value in [*([(0.0, base)] if start else []), *merged]
        ]
        drawn["merge"] = lines(
            points,
            "weight of the tuned model",
            "nDCG@10 on dev",
            {train["merge"]: "var(--soft)"} if merged else None,
        )
    if curve:
        points = [Point(row["pass"], row["loss"], "var(--soft)") for row in curve]
        drawn["loss"] = lines(points, "pass over the passages", "loss")
    return drawn


def draw_slices(slices: Figures) -> dict[str, str]:
    """What tuning changed in each kind of query: a chart a way of telling them apart."""
    drawn = {}
    for name, title in SLICES.items():
        found = sorted(
            slices.get(name, {}).items(), key=lambda item: (-item[1]["queries"], item[0])
        )[:MOST_SLICES]
        if found and not (name == "kind" and [kind for kind, _ in found] == ["unmarked"]):
            bars = [_difference(kind, row, f" ({row['queries']:,})") for kind, row in found]
            drawn[title] = intervals(bars, "points of nDCG@10", zero=True, names=WIDE)
    return drawn


def draw_fusion(fusion: Figures) -> dict[str, str]:
    """nDCG@10 by the weight of the model in the fusion, base and tuned; the chosen weights are marked."""
    drawn = {}
    for name, title in (("questions", "Real questions"), ("pairs", "Synthetic pairs")):
        models = fusion.get(name, {})
        points = [
            Point(row["weight"], row[method], TONES[model], dashed=method == "rrf")
            for model, told in models.items()
            if model in TONES
            for method in ("convex", "rrf")
            for row in told["curve"]
        ]
        if points:
            chosen = {
                told["weight"]: TONES[model] for model, told in models.items() if model in TONES
            }
            drawn[title] = lines(points, "weight of the model; the rest is BM25", "nDCG@10", chosen)
    return drawn


def sides_of(evaluation: Figures) -> Sides:
    """The two rows that the verdict is about."""
    return Sides(*evaluation["text"]["sides"])


def _means(rows: pa.Table, systems: Mapping[str, str]) -> list[Bar]:
    """Each system's mean nDCG@10, and how far another set of documents' questions might move it."""
    bars = []
    for system, label in systems.items():
        own = rows.filter(pc.field("system") == system)
        clusters = np.unique(
            np.asarray(own["cluster"].to_pylist(), dtype=object), return_inverse=True
        )[1]
        found = paired(own["ndcg@10"].to_numpy()[:, None], clusters, SAMPLES, SEED)
        mean, low, high = (float(values[0]) for values in (found.mean, found.low, found.high))
        bar = Bar(label, mean, max(0.0, low), min(1.0, high), _tone(system), f"{mean:.3f}")
        bars.append(bar if clusters.max(initial=0) else bar._replace(low=None, high=None))
    return bars


def _tone(system: str) -> str:
    return TONES.get(re.split("[+@]", system)[0], OTHER)


def _against(differences: Figures, systems: Mapping[str, str], before: str) -> list[Bar]:
    """Each system's paired difference from `before`; those of the figures are jointly sure at 95 %."""
    bars = []
    for system, label in systems.items():
        if f"{system} - {before}" in differences:
            bars.append(_difference(label, differences[f"{system} - {before}"]["ndcg@10"]))
        elif f"{before} - {system}" in differences:
            row = differences[f"{before} - {system}"]["ndcg@10"]
            turned = {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
            bars.append(_difference(label, turned))
        else:  # itself
            bars.append(Bar(label, 0.0, None, None, _tone(system), "0"))
    return bars


def _difference(label: str, row: Figures, suffix: str = "") -> Bar:
    """A difference in points; an interval from -1 to 1 says that there were too few documents to tell."""
    unknown = row["low"] <= -1 and row["high"] >= 1
    low, high = (None, None) if unknown else (100 * row["low"], 100 * row["high"])
    points = 100 * row["difference"] or 0.0
    return Bar(
        label,
        points,
        low,
        high,
        tone(low, high),
        f"{points:+.1f}{suffix}".replace("-", "\N{MINUS SIGN}"),
    )
