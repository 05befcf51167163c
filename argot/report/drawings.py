"""What the report draws: the figures of the stages, turned into charts by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from argot.evaluation.names import Sides, named
from argot.report.charts import NAMES, Bar, Point, intervals, lines, tone

TONES = {"bm25": "var(--bm25)", "base": "var(--base)", "tuned": "var(--tuned)"}
OTHER = "var(--soft)"
LONG, WIDE = 14, 194  # names of more than 14 letters need 194 pixels
SLICES = {
    "kind": "Kind of query",
    "length": "Length of the query",
    "jargon": "Words that the base model splits",
    "language": "Language of the query",
}
MOST_SLICES = 12
Figures = Mapping[str, Any]


class MeanInterval(NamedTuple):
    """A mean with its 95 % interval; `low` and `high` are None where there is one document only."""

    mean: float
    low: float | None
    high: float | None


Means = Mapping[str, MeanInterval]  # by system


class PartCharts(NamedTuple):
    """The charts of one part of the test."""

    queries: int
    systems: str  # each system's mean with its interval
    against_base: str  # each system's difference from the base model's side of the verdict


def draw_parts(evaluation: Figures, means: Mapping[str, Means], name: str) -> dict[str, PartCharts]:
    """The charts of one set by part: the whole test, documents seen in training, and held out.

    `means` holds the means of each part that was evaluated.
    """
    drawn = {}
    for part, own in means.items():
        differences = evaluation["differences"][name][part]
        systems = named(own)
        names = NAMES if max(map(len, systems.values())) <= LONG else WIDE
        bars = _against(differences, systems, sides_of(evaluation).stays)
        drawn[part] = PartCharts(
            _queries(differences),
            intervals(_mean_bars(own, systems), "nDCG@10", names=names),
            intervals(bars, "points", zero=True, names=names),
        )
    return drawn


def draw_training(train: Figures) -> dict[str, str]:
    """nDCG@10 on dev by pass and by merge weight, and the loss by pass, where measured."""
    drawn = {}
    curve = train.get("curve", [])
    if train.get("dev_queries") and curve:
        drawn["curve"] = lines(_curve(train), "pass over the passages", "nDCG@10 on dev")
        chosen = {train["merge"]: OTHER} if train.get("merged") else None
        drawn["merge"] = lines(_merge(train), "weight of the tuned model", "nDCG@10 on dev", chosen)
    if curve:
        points = [Point(row["pass"], row["loss"], OTHER) for row in curve]
        drawn["loss"] = lines(points, "pass over the passages", "loss")
    return drawn


def draw_slices(slices: Figures) -> dict[str, str]:
    """What tuning changed in each kind of query: a chart for each way to divide the queries."""
    drawn = {}
    for name, title in SLICES.items():
        largest = sorted(
            slices.get(name, {}).items(), key=lambda item: (-item[1]["queries"], item[0])
        )[:MOST_SLICES]
        if not largest or [kind for kind, _ in largest] == ["unmarked"]:
            continue
        bars = [_difference(kind, row, f" ({row['queries']:,})") for kind, row in largest]
        drawn[title] = intervals(bars, "points of nDCG@10", zero=True, names=WIDE)
    return drawn


def draw_fusion(fusion: Figures) -> dict[str, str]:
    """nDCG@10 by the model's weight beside BM25; dotted lines mark the chosen weights."""
    drawn = {}
    for name, title in (("questions", "Real questions"), ("pairs", "Synthetic pairs")):
        rows = fusion.get(name, {})
        models = {model: rows[f"{model}+bm25"] for model in ("base", "tuned") if rows}
        points = []
        for model, row in models.items():
            for method in ("convex", "rrf"):
                points += _fusion_line(row["curve"], method, TONES[model])
        chosen = {row["weights"]["dense"]: TONES[model] for model, row in models.items()}
        if points:
            drawn[title] = lines(points, "weight of the model; the rest is BM25", "nDCG@10", chosen)
    return drawn


def sides_of(evaluation: Figures) -> Sides:
    """The two systems that the verdict compares."""
    return Sides(*evaluation["text"]["sides"])


def _queries(differences: Figures) -> int:
    """How many queries were compared; the same for every pair of systems."""
    row = next(iter(differences.values()))["ndcg@10"]
    return int(row["wins"] + row["losses"] + row["ties"])


def _curve(train: Figures) -> list[Point]:
    """Pass 0 is the base model; its point has the tuned model's colour: the line is one."""
    base = train.get("dev_base")
    start = [] if base is None else [Point(0, base, TONES["tuned"])]
    return start + [Point(row["pass"], row["ndcg@10"], TONES["tuned"]) for row in train["curve"]]


def _merge(train: Figures) -> list[Point]:
    """The base model is the merge with weight 0."""
    base = train.get("dev_base")
    start = [] if base is None else [(0.0, base)]
    merged = sorted((float(weight), value) for weight, value in train.get("merged", {}).items())
    return [Point(weight, value, TONES["tuned"]) for weight, value in [*start, *merged]]


def _fusion_line(curve: list[Figures], method: str, tone: str) -> list[Point]:
    return [Point(row["weight"], row[method], tone, dashed=method == "rrf") for row in curve]


def _mean_bars(means: Means, systems: Mapping[str, str]) -> list[Bar]:
    """Each system's mean; the interval shows how far other documents would move it."""
    return [
        Bar(label, *means[system], _tone(system), f"{means[system].mean:.3f}")
        for system, label in systems.items()
    ]


def _tone(system: str) -> str:
    return TONES.get(re.split("[+@]", system)[0], OTHER)


def _against(differences: Figures, systems: Mapping[str, str], before: str) -> list[Bar]:
    """Each system's paired difference from `before`; the intervals hold jointly at 95 %."""
    bars = []
    for system, label in systems.items():
        if f"{system} - {before}" in differences:
            bars.append(_difference(label, differences[f"{system} - {before}"]["ndcg@10"]))
        elif f"{before} - {system}" in differences:
            row = differences[f"{before} - {system}"]["ndcg@10"]
            turned = {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
            bars.append(_difference(label, turned))
        else:  # `before` itself
            bars.append(Bar(label, 0.0, None, None, _tone(system), "0"))
    return bars


def _difference(label: str, row: Figures, suffix: str = "") -> Bar:
    """A difference in points; an interval from -1 to 1 is one that too few documents gave."""
    unknown = row["low"] <= -1 and row["high"] >= 1
    low, high = (None, None) if unknown else (100 * row["low"], 100 * row["high"])
    points = 100 * row["difference"] or 0.0
    text = f"{points:+.1f}{suffix}".replace("-", "\N{MINUS SIGN}")
    return Bar(label, points, low, high, tone(low, high), text)
