"""`argot results`: the table of the last run, and its verdict."""

from __future__ import annotations

from rich.console import Console

from argot.report.terminal import show


def results() -> None:
    """Show what the last `dvc repro` found: the systems side by side, the verdict, and advice.

    argot results
    """
    show(Console())
