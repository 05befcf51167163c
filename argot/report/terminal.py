"""The results of the last run in a terminal: the table of systems, the verdict, the advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from argot.core.files import read_figures
from argot.core.terminal import printable
from argot.evaluation.names import named

EVALUATION = Path("data/figures/evaluate.json")
# Keys of these figures.
EVALUATED = (
    "differences",
    "fusion",
    "intervals",
    "pairs",
    "questions",
    "slices",
    "text",
    "verdict",
)
REPORT = Path("reports/index.html")
RELEASE = Path("models/release")
COLUMNS = ("ndcg@10", "mrr@10", "recall@1", "recall@10", "recall@100")


def read_evaluation(path: Path = EVALUATION) -> dict[str, Any]:
    """The figures of `evaluate`; InputError if it has not run, or they are damaged."""
    return read_figures(path, EVALUATED)


def print_results(console: Console) -> None:
    """Print the systems on real questions (or on pairs, without any), the verdict and the paths."""
    evaluation = read_evaluation()
    real = evaluation["questions"].get("test")
    systems = real or evaluation["pairs"].get("test")
    title = "real questions" if real else "synthetic pairs: there are no real questions"
    if systems:
        table = Table(title=f"Test: {title}", title_justify="left")
        table.add_column("system")
        for column in COLUMNS:
            table.add_column(column, justify="right")
        for system, name in named(systems).items():
            table.add_row(name, *(f"{systems[system][column]:.3f}" for column in COLUMNS))
        console.print(table)
    print_verdict(console, evaluation)
    console.print(f"release: {RELEASE}\nreport:  {REPORT}")


def print_verdict(console: Console, evaluation: dict[str, Any]) -> None:
    """Print the verdict's sentence and the advice that the figures give."""
    text = evaluation["text"]
    console.print(
        printable(f"verdict: {text['verdict']}: {text['reason']}"),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for advice in text["advice"]:
        line = printable(f"- {advice['text']}")
        console.print(line, markup=False, highlight=False, soft_wrap=True)
