"""The results of the last run in a terminal: the table of systems, the verdict, the advice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from argot.core.files import read_figures
from argot.core.terminal import printable
from argot.errors import InputError
from argot.evaluation.names import named
from argot.report.history import data_version, too_many_looks

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
# What Python and Arrow raise for values of another type or form than a stage writes.
DAMAGE = (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError)
COLUMNS = ("ndcg@10", "mrr@10", "recall@1", "recall@10", "recall@100")


def read_evaluation(path: Path = EVALUATION) -> dict[str, Any]:
    """The figures of `evaluate`; InputError if it has not run, or they are damaged."""
    return read_figures(path, EVALUATED)


@contextmanager
def whole_figures(place: Path) -> Iterator[None]:
    """InputError where the block finds figures of `place` damaged, also deep inside them.

    `read_figures` looks at the keys at the top alone.
    """
    from jinja2 import UndefinedError

    try:
        yield
    except (*DAMAGE, UndefinedError) as error:
        raise InputError(
            f"{place}: damaged figures ({type(error).__name__}: {error}); run `dvc repro`"
        ) from error


def print_results(console: Console) -> None:
    """Print the systems on real questions (or on pairs, without any), the verdict and the paths."""
    evaluation = read_evaluation()
    with whole_figures(EVALUATION):
        _print(console, evaluation)


def _print(console: Console, evaluation: dict[str, Any]) -> None:
    # `argot publish`, which needs no library of the pipeline, imports this module too.
    from argot.core.stage import read_times

    kind, systems = measured(evaluation)
    synthetic = "synthetic pairs: there are no real questions"
    title = "real questions" if kind == "questions" else synthetic
    if systems:
        table = Table(title=f"Test: {title}", title_justify="left")
        table.add_column("system")
        for column in COLUMNS:
            table.add_column(column, justify="right")
        for system, name in named(systems).items():
            shown = f"{name} (ships)" if system == evaluation["text"]["ships"] else name
            table.add_row(shown, *(f"{systems[system][column]:.3f}" for column in COLUMNS))
        console.print(table)
    print_verdict(console, evaluation)
    if warning := too_many_looks(evaluation["verdict"]["looks"]):
        console.print(warning, soft_wrap=True)
    if version := data_version():
        console.print(f"data:    {version.date}, commit {version.commit}", highlight=False)
    if times := read_times():
        shown = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in times.items())
        console.print(f"times:   {shown}", highlight=False, soft_wrap=True)
    console.print(f"release: {RELEASE}\nreport:  {REPORT}")


def measured(evaluation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Real questions, or synthetic pairs where there are none, and the systems' means on them."""
    real = evaluation["questions"].get("test")
    return ("questions", real) if real else ("pairs", evaluation["pairs"].get("test", {}))


def print_verdict(console: Console, evaluation: dict[str, Any]) -> None:
    """Print the verdict's sentence and the advice that the figures give."""
    text = evaluation["text"]
    console.print(
        printable(f"verdict: {text['verdict']}: {text['reason']}"),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    lines = [f"{text['power']}."]
    for advice in text["advice"]:
        lines += [f"- {advice['text']}", *([f"  {advice['command']}"] if advice["command"] else [])]
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
