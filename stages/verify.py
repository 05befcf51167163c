"""Search the release as a user would, and compare the results with the evaluation.

Every test query that `evaluate` judged is asked of models/release/ through `Retriever`. nDCG@10 may
be lower than in the evaluation by at most `verify.max_loss`. A refreshed release (`--home refresh`)
is asked the real questions whose passages are all still there. What it lost to new texts is no
error, but it is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from argot.core import params
from argot.core.parquet import read_table
from argot.core.stage import HERE, run_in_home, write_figures
from argot.errors import ReleaseError
from argot.evaluation.metrics import ndcg
from argot.search.retriever import Passage, Retriever
from argot.search.rights import ALL
from argot.tables import judgments

RELEASE = Path("models/release")
SETS = ("questions", "pairs")
CUTOFF = 10


class VerifySettings(params.Settings):
    """The section `verify`."""

    max_loss: float = Field(ge=0)


def main(home: Path = HERE) -> str:
    """Ask, count, compare."""
    settings = params.load("verify", VerifySettings)
    retriever = Retriever.load(home / RELEASE)
    rows = read_table(
        judgments.PATH, judgments.SCHEMA, ["set", "split", "system", "query", "relevant", "ndcg@10"]
    )
    if retriever.manifest.refreshed:
        return after_refresh(retriever, rows, home)
    # A release of today must do as well as `evaluate` measured, on questions and pairs.
    figures = ask(retriever, rows, SETS)
    write_figures("verify", figures)
    if not len(rows):
        return "the release loads and its parts belong together; there is no test query to ask it"
    refuse(figures, retriever.manifest.verdict.system, settings.max_loss)
    found = [
        f"{row['ndcg@10']:.4f} on {row['queries']:,} test {name}" for name, row in figures.items()
    ]
    return f"nDCG@10 {', '.join(found)}: as evaluated, within {settings.max_loss}"


def after_refresh(retriever: Retriever, rows: pa.Table, home: Path) -> str:
    """Check a release whose model is older than its texts.

    Some passages are encoded again, and the questions that can still be answered are asked.
    """
    checked, here = retriever.verify(), set(retriever.chunks["chunk"].to_pylist())
    # A question can be answered if all passages that were judged relevant are in the release.
    answerable = [here.issuperset(relevant) for relevant in rows["relevant"].to_pylist()]
    figures = ask(retriever, rows.filter(pa.array(answerable, pa.bool_())), ("questions",))
    write_figures("verify", figures, home)
    found = [
        f"; nDCG@10 {row['ndcg@10']:.4f} on {row['queries']:,} test {name} that can still be "
        f"answered, {row['evaluated']:.4f} when the model was judged"
        for name, row in figures.items()
    ]
    return f"{checked} passages encoded again{''.join(found)}; {retriever.manifest.age}"


def ask(retriever: Retriever, rows: pa.Table, sets: Sequence[str]) -> dict[str, dict[str, float]]:
    """nDCG@10 of the release on each set's test queries, and what the evaluation measured."""
    figures = {}
    for name in sets:
        judged = of_release(rows, name, retriever.manifest.verdict.system)
        # A project may have no real questions, or no pairs.
        if not len(judged):
            continue
        found = retriever.search_many(judged["query"].to_pylist(), k=CUTOFF, groups=ALL)
        now = mean_ndcg(found, judged["relevant"].to_pylist())
        before = pc.mean(judged["ndcg@10"]).as_py()
        figures[name] = {
            "queries": len(judged),
            "ndcg@10": now,
            "evaluated": before,
            "loss": before - now,
        }
    return figures


def of_release(rows: pa.Table, name: str, system: str) -> pa.Table:
    """The judgments of the test queries of one set, for the system that was released."""
    return rows.filter(
        (pc.field("set") == name) & (pc.field("split") == "test") & (pc.field("system") == system)
    )


def mean_ndcg(found: Sequence[Sequence[Passage]], relevant: Sequence[Sequence[str]]) -> float:
    """Mean nDCG@10 of what was found, against the chunks judged relevant."""
    # Where fewer than ten passages were found, the rest of the row counts as not relevant.
    hits = np.zeros((len(found), CUTOFF), dtype=bool)
    answers = [set(chunks) for chunks in relevant]
    for row, (passages, own) in enumerate(zip(found, answers, strict=True)):
        hits[row, : len(passages)] = [passage.id in own for passage in passages]
    return float(ndcg(hits, np.array([len(own) for own in answers])).mean())


def refuse(figures: dict[str, dict[str, float]], system: str, max_loss: float) -> None:
    """Raise ReleaseError where the release does worse than its evaluation, or has no test query."""
    if not figures:
        raise ReleaseError(
            f"data/judgments.parquet holds no test query for {system}; run `dvc repro evaluate`"
        )
    for name, row in figures.items():
        if row["loss"] > max_loss:
            raise ReleaseError(
                f"{RELEASE} has nDCG@10 {row['ndcg@10']:.4f} on the test {name}, {system} was "
                f"evaluated at {row['evaluated']:.4f}: a loss above verify.max_loss ({max_loss}); "
                "run `dvc repro --force index`"
            )


if __name__ == "__main__":
    run_in_home("verify", main)
