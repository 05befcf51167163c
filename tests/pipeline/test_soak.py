"""Random edits, about every second followed by `dvc repro`: all ends as a build from nothing makes it.

Code is declared by its folders, for DVC writes a long lock file slowly: that is what the edits cost, and no edit touches code.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.workspaces import commit, run
from tools.deps import is_code, stages
from tools.tiny.project import TOPICS, dvc, project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("soak"),
    pytest.mark.timeout(3600),
    pytest.mark.usefixtures("warm_start"),
]

EDITS, SEED = 100, 13
NOUNS = [noun for topic in TOPICS.values() for noun in topic[:3]]
PARAMS: dict[str, list[Any]] = {
    "chunk.max_words": [24, 48, 128],
    "lexical.k1": [0.9, 1.2],
    "synthesize.queries.keywords": [1.0, 2.0],
    "train.epochs": [1, 2],
    "release.looks": [1, 2],
    "release.min_questions": [5, 100],
    "verify.max_loss": [0.005, 0.01],
    "index.kind": ["auto", "flat", "hnsw"],
    "index.tokens": ["auto", "off"],
}
Edit = Callable[[Path, random.Random], None]


def some_document(workspace: Path, chance: random.Random) -> Path:
    return chance.choice(sorted((workspace / "data/raw").glob("*.md")))


def sentence(chance: random.Random) -> str:
    first, second, third = chance.sample(NOUNS, 3)
    return f"On day {chance.randrange(1000)} the {first} and the {second} are moved away from the {third} by two of the crew."


def add_document(workspace: Path, chance: random.Random) -> None:
    text = f"# Order {chance.randrange(10**6)}\n\n{sentence(chance)} {sentence(chance)}\n"
    (workspace / f"data/raw/order-{chance.randrange(10**6)}.md").write_text(text, encoding="utf-8")


def change_document(workspace: Path, chance: random.Random) -> None:
    with some_document(workspace, chance).open("a", encoding="utf-8") as file:
        file.write(f"\n{sentence(chance)}\n")


def delete_document(workspace: Path, chance: random.Random) -> None:
    if len(list((workspace / "data/raw").glob("*.md"))) > 10:
        some_document(workspace, chance).unlink()


def rename_document(workspace: Path, chance: random.Random) -> None:
    document = some_document(workspace, chance)
    document.rename(document.with_stem(f"{document.stem}-{chance.randrange(100)}"))


def change_param(workspace: Path, chance: random.Random) -> None:
    path, name = workspace / "params.yaml", chance.choice(sorted(PARAMS))
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    *sections, leaf = name.split(".")
    place = params
    for section in sections:
        place = place[section]
    place[leaf] = chance.choice(PARAMS[name])
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def ask(workspace: Path, chance: random.Random) -> None:
    """Another question of any split, or one that is withdrawn."""
    path = workspace / "data/queries/questions.jsonl"
    asked = path.read_text(encoding="utf-8").splitlines()
    if chance.random() < 0.3 and len(asked) > 5:
        asked.pop(chance.randrange(len(asked)))
    else:
        split = chance.choice(["test", "test", "test", "dev", "train"])
        query = f"who moves the {chance.choice(NOUNS)} on day {chance.randrange(1000)}?"
        relevant = [{"document": some_document(workspace, chance).name}]
        asked.append(json.dumps({"query": query, "relevant": relevant, "split": split}))
    path.write_text("\n".join(asked) + "\n", encoding="utf-8")


def branch(workspace: Path, chance: random.Random) -> None:
    """Commit, and go on from some other commit; DVC's files follow now and then, or are left to the next run."""
    run(workspace, "git", "add", "-A")
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    run(workspace, "git", *author, "commit", "-q", "--allow-empty", "-m", "edits")
    commits = run(workspace, "git", "log", "--all", "--format=%H").split()
    run(workspace, "git", "switch", "-q", "--detach", chance.choice(commits[:20]))
    run(workspace, "git", "branch", f"branch-{chance.randrange(10**9)}")
    if chance.random() < 0.5:
        dvc(workspace, "checkout", "-q")


# How often each is drawn: documents make everything run, questions and most params little.
MIX: dict[Edit, int] = {
    add_document: 1, change_document: 2, delete_document: 1, rename_document: 1, change_param: 5, ask: 5, branch: 5,
}  # fmt: skip


def by_folders(workspace: Path) -> None:
    """Declare code by its folders in the workspace's dvc.yaml."""
    path = workspace / "dvc.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for _, stage in stages(content):
        stage["deps"] = ["argot", "stages", *(dep for dep in stage["deps"] if not is_code(dep))]
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def made(workspace: Path) -> dict[str, bytes]:
    """All that the pipeline wrote."""
    folders = ("models", "data", "reports")
    files = [
        path for folder in folders for path in (workspace / folder).rglob("*") if path.is_file()
    ]
    return {
        str(path.relative_to(workspace)): path.read_bytes()
        for path in [*files, workspace / "dvc.lock"]
    }


def test_many_edits_equal_a_build_from_nothing(
    tmp_path: Path,
) -> None:
    """After 100 random edits, or ARGOT_EDITS, every output has the bytes of a fresh run."""
    seed = int(os.environ.get("ARGOT_SEED", SEED))
    edits = int(os.environ.get("ARGOT_EDITS", EDITS))
    print(f"ARGOT_SEED={seed} ARGOT_EDITS={edits}")
    chance = random.Random(seed)
    workspace = project(tmp_path / "soak")
    by_folders(workspace)
    drawn: Counter[str] = Counter()

    def repro(folder: Path) -> None:
        told = dvc(folder, "repro")
        assert told.returncode == 0, (
            f"ARGOT_SEED={seed}, after {drawn}: {told.stdout[-2000:]}{told.stderr[-2000:]}"
        )

    repro(workspace)
    commit(workspace)
    for _ in range(edits):
        edit = chance.choices(list(MIX), list(MIX.values()))[0]
        edit(workspace, chance)
        drawn[edit.__name__] += 1
        if chance.random() < 0.5:
            repro(workspace)
    repro(workspace)
    fresh = tmp_path / "fresh"
    run(tmp_path, "git", "init", "-q", str(fresh))
    for name in ("argot", "stages", "data/raw", "data/queries", "data/own-pairs", ".dvc/plots"):
        shutil.copytree(
            workspace / name, fresh / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in (
        "dvc.yaml",
        "params.yaml",
        "numerics.lock",
        ".dvcignore",
        ".gitignore",
        ".dvc/config",
        ".dvc/.gitignore",
    ):
        shutil.copyfile(workspace / name, fresh / name)
    repro(fresh)
    assert made(fresh) == made(workspace), f"ARGOT_SEED={seed}: {drawn}"
    assert run(workspace, "dvc", "status").strip() == "Data and pipelines are up to date."
