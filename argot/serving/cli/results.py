"""`argot results`: the table of the last run, and its verdict."""

from __future__ import annotations

from argot.serving.cli.search import own_console


def results() -> None:
    """Print what the last `dvc repro` found: the table of systems, the verdict, and advice.

    argot results
    """
    from argot.report.terminal import print_results

    print_results(own_console())
