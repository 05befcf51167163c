"""The verdict by the whole pipeline: what was learned ships, what was learned wrong does not.

In a made-up handbook each machine has one name in the documents and another that people use, which stands nowhere. No
base model nor BM25 can know that both are one; training questions tell.
"""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from argot.core.parquet import read_table, write_table
from argot.tables import training
from tests.support.warm import put_first
from tests.support.workspaces import ran
from tools.tiny.model import make_tiny_model
from tools.tiny.project import dvc
from tools.workspace import lay_out

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("verdict"),
    pytest.mark.usefixtures("warm_start"),
]

MACHINES = 30
JOBS = {
    "cleaning": (
        "clean",
        "is washed with a brush and the {tool} every week, and dried with the {cloth} afterwards",
    ),
    "oiling": (
        "oil",
        "gets two drops of oil from the {tool} on each bearing, and a third where the {cloth} rubs",
    ),
    "storing": (
        "store",
        "is kept on the {tool} shelf over winter, under a sheet that the {cloth} holds in place",
    ),
    "mending": (
        "mend",
        "is opened with the {tool} when it breaks, and closed again by a seal from the {cloth} box",
    ),
}
PARAMS: dict[str, Any] = {
    "ingest.language": "en",
    "train.epochs": 12,
    "train.patience": 12,
    "train.learning_rate": 1.0e-2,
    "train.merge": [1.0],  # the whole of what was learned, whatever the recipe keeps of it
}


def made_up(count: int) -> list[str]:
    """Words of no language, each once."""
    random = Random(13)
    syllables = ["".join(pair) for pair in product("bdfgklmnprtvz", "aeiou")]
    words = dict.fromkeys("".join(random.choices(syllables, k=3)) for _ in range(2 * count))
    return list(words)[:count]


WORDS = made_up(MACHINES * (2 + 2 * len(JOBS)))
PROPER, USUAL = WORDS[:MACHINES], WORDS[MACHINES : 2 * MACHINES]
THINGS = np.array(WORDS[2 * MACHINES :]).reshape(MACHINES, len(JOBS), 2).tolist()


def handbook(folder: Path) -> None:
    """A document a machine, a passage a job."""
    folder.mkdir(parents=True)
    for name, things in zip(PROPER, THINGS, strict=True):
        parts = [f"# The {name}"]
        for (job, (_, text)), (tool, cloth) in zip(JOBS.items(), things, strict=True):
            parts += [
                f"## The {job} of the {name}",
                f"The {name} {text.format(tool=tool, cloth=cloth)}.",
            ]
        (folder / f"{name}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def asked(folder: Path) -> list[str]:
    """Questions by the usual names: training ones hold a word of their passage, by which its teacher finds it."""
    folder.mkdir(parents=True)
    lines = []
    for name, usual, things in zip(PROPER, USUAL, THINGS, strict=True):
        for (verb, text), (tool, cloth) in zip(JOBS.values(), things, strict=True):
            relevant = [
                {
                    "document": f"{name}.md",
                    "quote": f"The {name} {text.format(tool=tool, cloth=cloth)}.",
                }
            ]
            for query, split in (
                (f"{usual}: what is the {tool} for?", "train"),
                (f"do I need the {cloth} for a {usual}?", "train"),
                (f"{usual} with {tool} and {cloth}", "train"),
                (f"how do I {verb} my {usual}?", "test"),
                (f"{verb} a {usual}", "dev"),
            ):
                lines.append({"query": query, "relevant": relevant, "split": split})
    (folder / "questions.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
    )
    return [str(line["query"]) for line in lines]


@pytest.fixture(scope="module")
def learned(warm_programs: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The handbook after `dvc repro`."""
    folder = tmp_path_factory.mktemp("handbook")
    handbook(folder / "raw")
    texts = [path.read_text(encoding="utf-8") for path in sorted((folder / "raw").iterdir())]
    make_tiny_model(folder / "model", [*texts, *asked(folder / "queries")])
    params = {**PARAMS, "fetch.model": f"path:{folder / 'model'}"}
    with put_first(warm_programs):
        workspace = lay_out(
            folder / "workspace", folder / "raw", folder / "queries", params, folder / "cache"
        )
        result = dvc(workspace, "repro")
    assert result.returncode == 0, result.stdout + result.stderr
    return workspace


def shuffle(workspace: Path) -> None:
    """Deal out the queries of the training rows anew: hardly one still stands by its passage."""
    path = workspace / training.PATH
    rows = read_table(path, training.SCHEMA).to_pylist()
    queries = [row["query"] for row in rows]
    Random(13).shuffle(queries)
    path.unlink()
    write_table(
        path,
        [{**row, "query": query} for row, query in zip(rows, queries, strict=True)],
        training.SCHEMA,
    )


def outcome(workspace: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """What ships, by the release's own manifest; the figures of evaluate and of verify."""
    names = (
        "models/release/manifest.json",
        "data/figures/evaluate.json",
        "data/figures/verify.json",
    )
    manifest, figures, verified = (
        json.loads((workspace / name).read_text(encoding="utf-8")) for name in names
    )
    return manifest["verdict"], figures, verified


def weights(workspace: Path, *folders: str) -> list[bytes]:
    return [
        (workspace / "models" / folder / "model.safetensors").read_bytes() for folder in folders
    ]


def test_a_clear_gain_ships(learned: Path) -> None:
    verdict, figures, verified = outcome(learned)
    assert (
        figures["verdict"]["questions"] == MACHINES * len(JOBS)
        and figures["verdict"]["documents"] == MACHINES
    )
    assert (verdict["model"], verdict["verdict"]) == ("tuned", "tuned"), figures["text"]["reason"]
    assert figures["verdict"]["low"] > 0.05
    release, base, tuned = weights(learned, "release/embedder", "base", "tuned")
    assert release == tuned != base
    assert verified["questions"]["loss"] < 0.005


def test_shuffled_pairs_do_not_ship(learned: Path, tmp_path: Path) -> None:
    workspace = Path(shutil.copytree(learned, tmp_path / "workspace", symlinks=True))
    shuffle(workspace)
    assert dvc(workspace, "commit", "-f", "mine").returncode == 0
    result = dvc(workspace, "repro")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "train" in ran(result.stdout) and "mine" not in ran(result.stdout)
    verdict, figures, verified = outcome(workspace)
    assert (verdict["model"], verdict["verdict"]) == ("base", "base"), figures["text"]["reason"]
    release, base, tuned = weights(workspace, "release/embedder", "base", "tuned")
    assert release == base != tuned
    assert verified["questions"]["loss"] < 0.005
