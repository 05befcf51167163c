"""Studies of several runs, in workspaces of their own; never part of the default run.

    python -m tools.studies curve FOLDER            does a quarter, a half, all of the pairs help?
    python -m tools.studies seeds FOLDER            how much do three seeds differ?
    python -m tools.studies guard FOLDER OTHER      what did tuning on FOLDER forget of OTHER?

FOLDER holds `raw/` and, where there are some, `queries/`, as for tools.workspace; `data` is this
repository's own. Each prints a table of nDCG@10 and writes it to reports/studies/. `--set
SECTION.KEY=VALUE` changes a param of all runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from argot.core.files import write_json
from argot.errors import ArgotError, InputError
from argot.evaluation.names import ALWAYS, named
from argot.evaluation.statistics import paired
from tools.workspace import ROOT, changed_param, lay_out, repro

WORKSPACES = ROOT / "workspaces" / "studies"
REPORTS = ROOT / "reports" / "studies"
CACHE = ROOT / ".dvc" / "cache"
SHARES = (0.25, 0.5, 1.0)
SEEDS = (13, 14, 15)
EMBEDDED = ("embed@base-passages", "embed@base-questions", "embed@base-pairs")
Row = dict[str, Any]
Params = Mapping[str, Any]


def run(folder: Path, name: str, params: Params, *targets: str) -> Path:
    """The workspace of one run, up to the targets."""
    if not (folder / "raw").is_dir():
        raise InputError(
            f"{folder}/raw is missing; FOLDER must hold raw/, and queries/ where there are some"
        )
    place = WORKSPACES / f"{folder.name}-{name}"
    workspace = lay_out(place, folder / "raw", folder / "queries", dict(params), CACHE)
    repro(workspace, *targets)
    return workspace


def outcome(workspace: Path) -> Row:
    """nDCG@10 on real questions, or on synthetic pairs where there are none."""
    figures = json.loads((workspace / "data/figures/evaluate.json").read_text(encoding="utf-8"))
    measured = "questions" if "test" in figures["questions"] else "pairs"
    systems, verdict = figures[measured]["test"], figures["verdict"]
    stays, ships = figures["text"]["sides"]
    gain = figures["differences"][measured]["test"][f"{ships} - {stays}"]["ndcg@10"]
    return {
        **{system: systems[system]["ndcg@10"] for system in named(systems)},
        "gain": gain["difference"],
        "low": gain["low"],
        "high": gain["high"],
        "ships": "tuned" if verdict["ships_tuned"] else "base",
        measured: gain["wins"] + gain["losses"] + gain["ties"],
    }


def curve(folder: Path, params: Params) -> list[Row]:
    """The same run with 25, 50 and 100 % of the training pairs."""
    rows = []
    for share in SHARES:
        workspace = run(folder, f"share-{share}", {**params, "mine.share": share}, "evaluate")
        count = pq.read_metadata(workspace / "data/training.parquet").num_rows
        rows.append({"share": share, "training rows": count, **outcome(workspace)})
    return rows


def seeds(folder: Path, params: Params) -> list[Row]:
    """The same run under three seeds, with their mean and their standard deviation."""
    rows: list[Row] = [
        {
            "seed": seed,
            **outcome(run(folder, f"seed-{seed}", {**params, "train.seed": seed}, "evaluate")),
        }
        for seed in SEEDS
    ]
    averaged = [*(system for system in ALWAYS if system in rows[0]), "gain"]
    summaries = {"mean": statistics.mean, "spread": statistics.stdev}
    return rows + [
        {"seed": name, **{key: summary(row[key] for row in rows) for key in averaged}}
        for name, summary in summaries.items()
    ]


def guard(folder: Path, other: Path, params: Params) -> list[Row]:
    """Base and the model tuned on `folder`, on the questions of another corpus, without BM25."""
    tuned = run(folder, "guard", params, "train") / "models/tuned"
    workspaces = {
        "base": run(other, "guarded-base", params, *EMBEDDED),
        f"tuned on {folder.name}": run(
            other, "guarded-tuned", {**params, "fetch.model": f"path:{tuned}"}, *EMBEDDED
        ),
    }
    asked = {name: ndcg(workspace) for name, workspace in workspaces.items()}
    (base, clusters, measured), (after, _, _) = asked.values()
    change = paired((after - base)[:, None], clusters)
    rows: list[Row] = [
        {"model": name, "ndcg@10": float(values.mean()), measured: len(values)}
        for name, (values, _, _) in asked.items()
    ]
    ends = {"low": float(change.low[0]), "high": float(change.high[0])}
    return [*rows, {"model": "tuned - base", "ndcg@10": float(change.mean[0]), **ends}]


def ndcg(workspace: Path) -> tuple[NDArray[np.float64], NDArray[np.int64], str]:
    """nDCG@10 of a workspace's base model on each test query, their clusters, and their set."""
    from argot.evaluation.judged import JudgedCorpus, read_pairs, read_questions
    from argot.evaluation.metrics import score
    from argot.evaluation.systems import stored
    from argot.ranking.fusion import DEPTH
    from argot.ranking.hits import search_exact

    with chdir(workspace):
        corpus, base = JudgedCorpus(), stored("base")
        queries = read_questions("test", corpus)
        if not len(queries):
            queries = read_pairs("test", corpus)
        if not len(queries):
            raise InputError(
                f"{workspace}: there is no test query; add questions to queries/, or documents"
            )
        asked, passages = base.of(queries.set, queries.texts), base.of("passages", corpus.passages)
        hits = search_exact(asked, passages, DEPTH, corpus.ties)
        return (
            score(hits.positions, queries.relevance, corpus.document)["ndcg@10"],
            queries.documents,
            queries.set,
        )


def show(name: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table, and keep them."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns, title=name, title_justify="left")
    for row in rows:
        values = (row.get(column, "") for column in columns)
        table.add_row(
            *(f"{value:.4f}" if isinstance(value, float) else str(value) for value in values)
        )
    Console().print(table)
    write_json(REPORTS / f"{name}.json", list(rows))


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    studies = parser.add_subparsers(dest="study", required=True)
    for name in ("curve", "seeds", "guard"):
        study = studies.add_parser(name)
        study.add_argument("folder", type=Path)
        if name == "guard":
            study.add_argument("other", type=Path)
        study.add_argument(
            "--set", action="append", default=[], type=changed_param, metavar="SECTION.KEY=VALUE"
        )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Run a study."""
    given = arguments(words)
    folder, params = given.folder.resolve(), dict(given.set)
    try:
        if given.study == "guard":
            other = given.other.resolve()
            show(f"{folder.name}-guard-{other.name}", guard(folder, other, params))
        else:
            show(
                f"{folder.name}-{given.study}",
                {"curve": curve, "seeds": seeds}[given.study](folder, params),
            )
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except ArgotError as error:
        sys.exit(f"studies: error: {error}")


if __name__ == "__main__":
    main()
