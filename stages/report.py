"""Gather the figures of all stages into metrics, plots, a verdict for pull requests, and a page.

    python -m stages.report

Writes reports/metrics.json, reports/plots/, reports/verdict.json (all in git) and
reports/index.html, one file that needs no network. The same figures give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup, escape
from pydantic import ConfigDict
from rich.console import Console

from argot.core.files import read_figures, replacing, replacing_folder, sha256, write_json
from argot.core.params import Settings, fingerprint, load
from argot.core.stage import FIGURES, read_versions, run, stage_parser
from argot.evaluation.names import name, named
from argot.report import cases, drawings, lead
from argot.report.drawings import MeanInterval
from argot.report.terminal import EVALUATED, print_verdict, whole_figures
from argot.tables import chunks, judgments

FILES = Path(__file__).parent / "templates"
METRICS = Path("reports/metrics.json")
PLOTS = Path("reports/plots")
VERDICT = Path("reports/verdict.json")
PAGE = Path("reports/index.html")
STAGES = [
    "ingest", "chunk", "lexical", "questions", "synthesize", "fetch",
    "embed-base-passages", "embed-base-pairs", "embed-base-questions",
    "embed-tuned-passages", "embed-tuned-pairs", "embed-tuned-questions",
    "mine", "train", "evaluate", "index", "verify",
]  # fmt: skip
SECTIONS = [
    "ingest", "chunk", "lexical", "questions", "synthesize", "fetch", "embed", "mine", "train",
    "evaluate", "release", "index", "verify",
]  # fmt: skip
# What the page takes for granted of the figures; a stage that had nothing to do leaves others out.
NEEDED = {
    "ingest": ("documents", "words", "near_duplicates", "formats", "refused"),
    "chunk": ("chunks", "words", "languages"),
    "questions": ("questions",),
    "synthesize": ("pairs", "dropped", "overlap", "llm", "judge"),
    "embed-base-passages": ("cut",),
    "mine": ("not_found_again",),
    "evaluate": EVALUATED,
}
IN_VERDICT, ON_PAGE = 10, 5  # how many queries that changed most


class ReportSettings(Settings):
    """How the report is headed: the section `report`."""

    name: str


class ShownSettings(Settings):
    """A section of params.yaml, printed as it is: its own stage has checked it."""

    model_config = ConfigDict(extra="allow")


def main() -> str:
    """Write what people and `dvc metrics diff` read; print the verdict and the advice."""
    figures = {
        stage: read_figures(FIGURES / f"{stage}.json", NEEDED.get(stage, ())) for stage in STAGES
    }
    with whole_figures(FIGURES):
        _write(figures)
        print_verdict(Console(), figures["evaluate"])
    return f"{PAGE}, {METRICS}"


def _write(figures: dict[str, dict[str, Any]]) -> None:
    """The page first: what it is made of shows whether the figures are whole."""
    table = cases.read_judgments()
    sides = drawings.sides_of(figures["evaluate"])
    wins, losses = cases.changed_most(table, sides, IN_VERDICT)
    measured = cases.measured(table)
    ladder = lead.ladder(table, figures["evaluate"], sides)
    unit = "questions" if measured == "questions" else "synthetic queries"
    headline = lead.headline(ladder, unit)
    facts = {
        "figures": figures,
        "name": load("report", ReportSettings).name,
        "ladder": ladder,
        "headline": headline,
        "measured": measured,
        "sides": sides,
        "parts": {
            name: drawings.draw_parts(
                figures["evaluate"], means_of(figures["evaluate"], name), name
            )
            for name in ("questions", "pairs")
        },
        "wins": wins[:ON_PAGE],
        "losses": losses[:ON_PAGE],
        "params": {section: load(section, ShownSettings).model_dump() for section in SECTIONS},
        "hashes": hashes(figures),
        "versions": read_versions(),
    }
    with replacing(PAGE) as beside:
        beside.write_text(page(facts), encoding="utf-8")
    with replacing_folder(PLOTS) as beside:
        for name, points in plots(figures).items():
            write_json(beside / f"{name}.json", points)
    write_json(VERDICT, verdict(figures["evaluate"], headline, wins, losses))
    # The metrics last: `dvc metrics diff` must not show what a stage wrote before it failed.
    write_json(METRICS, {stage: numbers(values) for stage, values in figures.items()})


def means_of(evaluation: dict[str, Any], name: str) -> dict[str, dict[str, MeanInterval]]:
    """The means of nDCG@10 with their intervals, of each part of a set that was evaluated."""
    means: dict[str, dict[str, MeanInterval]] = {}
    for part, systems in evaluation[name].items():
        bounds = evaluation["intervals"][name].get(part, {})
        means[part] = {
            system: MeanInterval(
                values["ndcg@10"], **bounds.get(system, {"low": None, "high": None})
            )
            for system, values in systems.items()
        }
    return means


def numbers(value: Any) -> Any:
    """The numbers among figures, nested as before: DVC would print every other value as a row."""
    if isinstance(value, dict):
        kept = {name: numbers(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in (None, {})}
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def plots(figures: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The points of each DVC plot, by name."""
    evaluation = figures["evaluate"]
    return {
        "systems": [
            {"system": f"{label}{suffix}", "ndcg@10": evaluation[asked]["test"][system]["ndcg@10"]}
            for asked, suffix in (("questions", ""), ("pairs", ", on pairs"))
            for system, label in named(evaluation[asked].get("test", {})).items()
        ],
        "training": figures["train"].get("curve", []),
    }


def verdict(
    evaluation: dict[str, Any],
    headline: str,
    wins: Sequence[cases.ChangedQuery],
    losses: Sequence[cases.ChangedQuery],
) -> dict[str, Any]:
    """The verdict and the queries that changed most, for the comment on a pull request."""
    text = evaluation["text"]
    return {
        "verdict": text["verdict"],
        "headline": headline,
        "reason": text["reason"],
        "power": text["power"],
        "looks": evaluation["verdict"]["looks"],
        "wins": before_and_after(wins),
        "losses": before_and_after(losses),
    }


def before_and_after(changed: Sequence[cases.ChangedQuery]) -> list[dict[str, Any]]:
    """Each query with its nDCG@10 before and after tuning."""
    return [
        {"query": case.query, "before": round(case.before, 6), "after": round(case.after, 6)}
        for case in changed
    ]


def hashes(figures: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Hashes that identify the run: params, weights, models, and the two tables of the page."""
    weights = {
        f"base weights, {name}": digest
        for name, digest in figures["fetch"].get("weights", {}).items()
    }
    models = {
        model: figures[f"embed-{model}-passages"].get("identity") for model in ("base", "tuned")
    }
    identities = {
        f"{model} model, with code and libraries that encode": digest
        for model, digest in models.items()
        if digest
    }
    tables = {str(path): sha256(path) for path in (chunks.PATH, judgments.PATH)}
    return {
        "params.yaml, all sections above": fingerprint(SECTIONS),
        **weights,
        **identities,
        **tables,
    }


def page(facts: dict[str, Any]) -> str:
    """The report as one HTML file; every text is escaped, those in charts by Vega."""
    figures = facts["figures"]
    evaluation = figures["evaluate"]
    drawn = {
        "training": drawings.draw_training(figures["train"]),
        "slices": drawings.draw_slices(evaluation["slices"].get(facts["measured"], {})),
        "fusion": drawings.draw_fusion(evaluation["fusion"]),
    }
    # Figures are missing where there are no questions or no LLM: what is undefined prints nothing.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FILES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,
    )
    environment.filters.update(
        svg=Markup, code=as_code, yaml=as_yaml, bytes=as_bytes, row=name, rows=named
    )
    return environment.get_template("report.html").render(**facts, **drawn)


def as_code(text: str) -> Markup:
    """A text, escaped, with the words between backticks as code and a true minus sign."""
    # str(): `re.sub` on a Markup would escape the tags that it inserts.
    escaped = re.sub(r"(?<![\w-])-(?=\d)", "\N{MINUS SIGN}", str(escape(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))


def as_yaml(section: dict[str, Any]) -> str:
    """A section of params as YAML, without the comments of params.yaml."""
    return str(yaml.safe_dump(section, sort_keys=False, allow_unicode=True)).rstrip()


def as_bytes(count: float) -> str:
    """Bytes for people: 2.4 MB."""
    power = min(4, max(0, len(str(int(count))) - 1) // 3)
    return f"{count / 1000**power:,.{min(1, power)}f} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


if __name__ == "__main__":
    stage_parser("report", __doc__).parse_args()
    run("report", main)
