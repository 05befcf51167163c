"""Studies on request, never part of the default run: each lays out workspaces of its own and runs the pipeline there.

    python -m benchmarks.studies curve FOLDER            does a quarter, a half, all of the pairs help?
    python -m benchmarks.studies seeds FOLDER            how far do three seeds lie apart?
    python -m benchmarks.studies guard FOLDER OTHER      what did the model tuned on FOLDER forget on OTHER?

FOLDER holds `raw/` and `queries/`, as for benchmarks.workspace. Each prints a table and writes reports/studies/.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from rich.console import Console
from rich.table import Table

from argot.files import write_json
from argot.statistics import paired
from benchmarks.workspace import ROOT, lay_out, repro

WORKSPACES = ROOT / "workspaces" / "studies"
REPORTS = ROOT / "reports" / "studies"
SHARES = (0.25, 0.5, 1.0)
SEEDS = (13, 14, 15)
EMBEDDED = ("synthesize", "embed@base-passages", "embed@base-questions")
SYSTEMS = ("base+bm25", "tuned", "tuned+bm25")


def run(folder: Path, name: str, params: dict[str, Any], *targets: str) -> Path:
    """The workspace of one run, up to the targets."""
    workspace = lay_out(WORKSPACES / f"{folder.name}-{name}", folder / "raw", folder / "queries", params)
    repro(workspace, *targets)
    return workspace


def outcome(workspace: Path) -> dict[str, Any]:
    """What is compared between runs: nDCG@10 on real questions, or on synthetic pairs where there are none."""
    figures = json.loads((workspace / "data/figures/evaluate.json").read_text(encoding="utf-8"))
    systems = figures["questions"].get("test") or figures["pairs"]["test"]
    scores = {system: systems[system]["ndcg@10"] for system in SYSTEMS}
    return {**scores, "gain": figures["verdict"]["gain"], "verdict": figures["text"]["verdict"]}


def curve(folder: Path) -> list[dict[str, Any]]:
    """The same run with a share of the training pairs: where doubling gains nothing, more pairs won't."""
    queries = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["synthesize"]["queries"]
    rows = []
    for share in SHARES:
        params = {f"synthesize.queries.{source}": count * share for source, count in queries.items()}
        workspace = run(folder, f"share-{share}", params, "evaluate")
        count = pq.read_metadata(workspace / "data/pairs/train.parquet").num_rows
        rows.append({"share": share, "pairs": count, **outcome(workspace)})
    return rows


def seeds(folder: Path) -> list[dict[str, Any]]:
    """The same run under three seeds, and their mean and spread."""
    rows = [{"seed": seed, **outcome(run(folder, f"seed-{seed}", {"train.seed": seed}, "evaluate"))} for seed in SEEDS]
    for name, summary in (("mean", statistics.mean), ("spread", statistics.stdev)):
        rows.append({"seed": name, **{key: summary(row[key] for row in rows[:3]) for key in (*SYSTEMS, "gain")}})
    return rows


def guard(folder: Path, other: Path) -> list[dict[str, Any]]:
    """Base and the model tuned on `folder`, both asked the questions of another corpus."""
    tuned = run(folder, "guard", {}, "train") / "models/tuned"
    workspaces = {
        "base": run(other, "guarded-base", {}, *EMBEDDED),
        "tuned": run(other, "guarded-tuned", {"fetch.model": f"path:{tuned}"}, *EMBEDDED),
    }
    scores = {name: ndcg(workspace) for name, workspace in workspaces.items()}
    change = paired((scores["tuned"][0] - scores["base"][0])[:, None], scores["base"][1], samples=10_000, seed=13)
    rows = [{"model": name, "ndcg@10": float(values.mean())} for name, (values, _) in scores.items()]
    ends = {"low": float(change.low[0]), "high": float(change.high[0])}
    return [*rows, {"model": "tuned - base", "ndcg@10": float(change.mean[0]), **ends}]


def ndcg(workspace: Path) -> tuple[np.ndarray, np.ndarray]:
    """nDCG@10 of a workspace's base model for each test question, and the questions' clusters."""
    from argot.fusion import DEPTH
    from argot.metrics import score
    from argot.queries import read_corpus, read_questions
    from argot.ranking import search_exact
    from argot.vectors import read_vectors

    here = Path.cwd()
    os.chdir(workspace)
    try:
        corpus = read_corpus()
        queries = read_questions("test", corpus)
        asked, stored = (read_vectors(Path("data/embeddings/base") / name) for name in ("questions", "passages"))
        hits = search_exact(asked.of(queries.texts), stored.of(corpus.texts), DEPTH, corpus.ties)
        return score(hits.positions, queries.relevance, corpus.document)["ndcg@10"], queries.cluster
    finally:
        os.chdir(here)


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table, and keep them."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns, title=name, title_justify="left")
    for row in rows:
        values = (row.get(column, "") for column in columns)
        table.add_row(*(f"{value:.4f}" if isinstance(value, float) else str(value) for value in values))
    Console().print(table)
    write_json(REPORTS / f"{name}.json", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    studies = parser.add_subparsers(dest="study", required=True)
    for name in ("curve", "seeds", "guard"):
        study = studies.add_parser(name)
        study.add_argument("folder", type=Path)
        if name == "guard":
            study.add_argument("other", type=Path)
    given = parser.parse_args()
    folder = given.folder.resolve()
    try:
        if given.study == "guard":
            show(f"{folder.name}-guard", guard(folder, given.other.resolve()))
        else:
            show(f"{folder.name}-{given.study}", {"curve": curve, "seeds": seeds}[given.study](folder))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
