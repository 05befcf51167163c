"""`make refresh`: the released model over changed documents costs what changed, and is what a build from nothing gives."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from argot.core.parquet import read_table
from argot.encoding.store.vectors import key, read_vectors
from argot.search.release import check, inventory
from argot.tables import chunks, documents
from tests.support.workspaces import clone, commit, ran, run
from tools.deps import ROOT
from tools.tiny.project import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("pipeline"),
    pytest.mark.usefixtures("warm_start"),
]

RELEASE = Path("refresh/models/release")
STAGES = [
    f"refresh/dvc.yaml:{name}"
    for name in ("ingest", "chunk", "lexical", "embed", "index", "verify")
]
CRANE = "# The crane\n\nThe deck crane is parked in its cradle, and the hook is secured before the ship sails at night.\n"


def refresh(workspace: Path, flags: str = "") -> str:
    """What `make refresh` does, but for the installation before it."""
    command = [
        "make",
        "--no-print-directory",
        "-n",
        "-o",
        ".venv/installed",
        "refresh",
        f"FLAGS={flags}",
    ]
    recipe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return run(workspace, "bash", "-ec", recipe)


def edit(workspace: Path) -> None:
    """One document goes, one comes, one changes: of 36 passages four go and two come."""
    raw = workspace / "data/raw"
    (raw / "hull.md").unlink()
    (raw / "crane.md").write_text(CRANE, encoding="utf-8")
    radio = (raw / "radio.md").read_text(encoding="utf-8")
    (raw / "radio.md").write_text(radio.replace("fresh water", "salt water"), encoding="utf-8")


def encoded(workspace: Path) -> int:
    """Passages that the last run really encoded."""
    last = json.loads((workspace / "logs/embed.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return int(last["texts"]) - int(last["reused"])


def test_a_refresh_equals_a_build_from_nothing(
    workspace: Path,
) -> None:
    """It encodes only what changed, and gives the same bytes."""
    lock, release = (workspace / "dvc.lock").read_bytes(), inventory(workspace / "models/release")
    edit(workspace)
    told = refresh(workspace)
    assert ran(told) == STAGES and encoded(workspace) == 2
    assert re.search(
        "age +the model is older than the texts: since then 2 of 34 passages are new, 4 are gone",
        told,
    )
    assert (workspace / "dvc.lock").read_bytes() == lock and inventory(
        workspace / "models/release"
    ) == release
    assert ran(refresh(workspace)) == []
    made, locked = inventory(workspace / RELEASE), (workspace / "refresh/dvc.lock").read_bytes()
    for folder in ("cache", "refresh", ".git"):  # neither kept vectors nor a last commit
        shutil.rmtree(workspace / folder)
    (workspace / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    refresh(workspace, "--no-run-cache")
    assert encoded(workspace) == 34
    assert (
        inventory(workspace / RELEASE) == made
        and (workspace / "refresh/dvc.lock").read_bytes() == locked
    )


def test_a_deleted_document_is_gone_from_index_texts_and_kept_vectors(workspace: Path) -> None:
    before = read_table(workspace / chunks.PATH, chunks.SCHEMA).to_pylist()
    gone = {
        key(f"{row['heading']}\n{row['text']}") for row in before if row["document"] == "hull.md"
    }
    assert gone <= kept(workspace)
    (
        workspace / "data/raw/hull.md"
    ).unlink()  # and nothing else: DVC's run cache would know the other edit
    refresh(workspace)
    assert not gone & kept(workspace)
    for table in (documents, chunks):
        rows = read_table(workspace / "refresh" / table.PATH, table.SCHEMA)
        assert "hull.md" not in rows["document"].to_pylist()
    found = run(
        workspace,
        "argot",
        "search",
        "zinc plate",
        "--release",
        str(RELEASE),
        "--mode",
        "bm25",
        "--json",
    )
    assert "hull.md" not in found


def kept(workspace: Path) -> set[str]:
    stores = (workspace / "cache/vectors").glob("*/passages/*/*")
    return {name for store in stores for name in read_vectors(store).keys}


def test_a_fresh_runner_and_another_branch_encode_only_what_changed(
    workspace: Path, tmp_path: Path
) -> None:
    run(workspace, "dvc", "remote", "add", "-d", "shared", str(tmp_path / "shared"))
    run(workspace, "dvc", "push", "-q")
    commit(workspace)
    runner = clone(workspace, tmp_path / "runner")
    edit(runner)
    refresh(runner, "--pull --allow-missing")
    assert encoded(runner) == 2, "the rest are in the last commit's vectors, under another name"
    assert not (runner / "models/tuned").exists() and not (runner / "models/base").exists()
    run(runner, "dvc", "push", "-q")
    commit(runner)
    lock, made = (runner / "refresh/dvc.lock").read_bytes(), inventory(runner / RELEASE)
    run(runner, "git", "switch", "-qc", "other")
    (runner / "data/raw/crane.md").write_text(CRANE.replace("night", "noon"), encoding="utf-8")
    refresh(runner)
    assert encoded(runner) == 1
    commit(runner)
    run(runner, "git", "switch", "-q", "-")
    run(runner, "dvc", "checkout", "-q", "refresh/dvc.yaml")
    assert ran(refresh(runner)) == []
    assert (runner / "refresh/dvc.lock").read_bytes() == lock and inventory(
        runner / RELEASE
    ) == made
    check(runner / RELEASE)


def test_the_freshness_check_knows_a_refresh(workspace: Path, tmp_path: Path) -> None:
    """After a refresh the model is older than the documents, and that is no error."""
    edit(workspace)
    commit(workspace)
    assert freshness(workspace).returncode == 1
    refresh(workspace)
    commit(workspace)
    for folder in (workspace, clone(workspace, tmp_path / "clone")):
        told = freshness(folder)
        assert told.returncode == 0 and "the model is older than the documents" in told.stdout
    with (workspace / "stages/train.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert freshness(workspace).returncode == 1, "only documents may be newer than a run"


def freshness(folder: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / ".github/scripts/freshness.sh"
    return subprocess.run(
        [script], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
