"""A recipe on a corpus: the pipeline in a workspace of its own with changed params, and its table.

    python -m benchmarks.recipe --corpus FOLDER [--into WORKSPACE] [SECTION.KEY=VALUE ...]

FOLDER holds `raw/` and `queries/`. Prints nDCG@10 of each system on the test questions, the
differences that matter with intervals that hold for all of them at once at 95 %, and what dev said
of them. Each entry of docs/LOG.md names the params to repeat it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from argot.evaluation.names import named
from tools.workspace import ROOT, changed_param, lay_out, repro

SHOWN = (("tuned", "base"), ("tuned+bm25", "base+bm25"), ("tuned+bm25", "bm25"))


def table(workspace: Path) -> str:
    """The systems' means, the paired differences, and the dev set's view, as Markdown."""
    figures = {name: read(workspace, name) for name in ("evaluate", "train", "mine")}
    test = figures["evaluate"]["questions"]["test"]
    lines = ["| system | nDCG@10 | of documents |", "| --- | ---: | ---: |"]
    for system, name in named(test).items():
        lines.append(
            f"| {name} | {test[system]['ndcg@10']:.4f} | {test[system]['document_ndcg@10']:.4f} |"
        )
    lines += ["", *differences(figures["evaluate"]["differences"]["questions"]["test"])]
    train = figures["train"]
    lines.append(
        f"dev: {train['dev_base']:.3f} → {train['dev_tuned']:.3f}, {train['steps']} steps, "
        f"merge {train['merge']}"
    )
    return "\n".join(lines)


def differences(found: dict[str, Any]) -> list[str]:
    """One line a comparison: points of nDCG@10 and their interval."""
    lines = []
    for better, worse in SHOWN:
        known = found[f"{better} - {worse}"]["ndcg@10"]
        mean, low, high = (100 * known[name] for name in ("difference", "low", "high"))
        lines.append(f"{better} - {worse}: {mean:+.1f} [{low:+.1f}, {high:+.1f}]")
    return lines


def read(workspace: Path, stage: str) -> dict[str, Any]:
    """The figures of a stage."""
    figures: dict[str, Any] = json.loads(
        (workspace / f"data/figures/{stage}.json").read_text(encoding="utf-8")
    )
    return figures


def main() -> None:
    """Lay out, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--into", type=Path)
    parser.add_argument("params", nargs="*", type=changed_param, metavar="SECTION.KEY=VALUE")
    arguments = parser.parse_args()
    params = dict(arguments.params)
    corpus = arguments.corpus.resolve()
    workspace = arguments.into or ROOT / "workspaces" / f"recipe-{corpus.name}"
    try:
        repro(lay_out(workspace, corpus / "raw", corpus / "queries", params), "evaluate")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    print(table(workspace))


if __name__ == "__main__":
    main()
