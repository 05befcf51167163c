"""Gather the figures of all stages into metrics, plots and a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console

from argot.errors import InputError
from argot.files import replacing, replacing_folder, write_json
from argot.results import SYSTEMS, show_verdict
from argot.stage import FIGURES, run

FILES = Path(__file__).parent / "templates"
METRICS = Path("reports/metrics.json")
PLOTS = Path("reports/plots")
PAGE = Path("reports/index.html")
CELLS = [f"embed-{model}-{texts}" for model in ("base", "tuned") for texts in ("passages", "pairs", "questions")]
STAGES = ["ingest", "chunk", "questions", "synthesize", "fetch", *CELLS, "mine", "train", "evaluate", "index", "verify"]


def main() -> str:
    """Write reports/metrics.json, reports/plots/ and reports/index.html; print the verdict and the advice."""
    figures = {stage: read_figures(FIGURES / f"{stage}.json") for stage in STAGES}
    with replacing(PAGE) as beside:
        beside.write_text(page(figures), encoding="utf-8")
    with replacing_folder(PLOTS) as beside:
        for name, points in plots(figures).items():
            write_json(beside / f"{name}.json", points)
    # Last, for `dvc metrics diff` would show what a failed stage left.
    write_json(METRICS, {stage: numbers(values) for stage, values in figures.items()})
    show_verdict(Console(), figures["evaluate"])
    return f"{PAGE}, {METRICS}"


def read_figures(path: Path) -> dict[str, Any]:
    """One stage's figures; InputError if they are missing or damaged."""
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        raise InputError(f"{path} is missing or damaged; run `dvc repro`") from None
    return figures


def numbers(value: Any) -> Any:
    """The numbers among figures, nested as they were: DVC shows whatever else stands in a metrics file as a row."""
    if isinstance(value, dict):
        kept = {name: numbers(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in (None, {})}
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def plots(figures: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The points of each DVC plot, by name."""
    evaluation = figures["evaluate"]
    return {
        "systems": [
            {"set": name, "system": SYSTEMS.get(system, system), "ndcg@10": metrics["ndcg@10"]}
            for name in ("questions", "pairs")
            for system, metrics in evaluation[name].get("test", {}).items()
        ],
        "training": figures["train"].get("curve", []),
    }


def page(figures: dict[str, dict[str, Any]]) -> str:
    """The report as one HTML file; every text in it is escaped."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FILES), autoescape=True, trim_blocks=True)
    environment.undefined = jinja2.StrictUndefined
    return environment.get_template("report.html").render(figures=figures, systems=SYSTEMS)


if __name__ == "__main__":
    run("report", main)
