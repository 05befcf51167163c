"""`make refresh` after one changed document, against the same pipeline from nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from argot.core.files import write_json
from argot.core.parquet import read_table, write_table
from argot.search.release import inventory
from argot.tables import chunks, judgments, pairs, questions
from benchmarks.prose import Author
from benchmarks.track import Track
from tools.workspace import ROOT, lay_out

PASSAGES, A_DOCUMENT = 20_000, 15.5  # passages of a document of 1,500 words, on average
REASON = (
    "a quarter of what is left is the start of torch and sentence-transformers, in two stages, and "
    "a quarter DVC's own"
)
VERDICT = {
    "model": "base", "verdict": "base", "system": "base+bm25",
    "fusion": {"method": "convex", "weights": {"bm25": 0.5, "dense": 0.5}},
}  # fmt: skip


def test_refresh_after_one_changed_document(
    race: Track, scale: Callable[[int], int], base: Path, tmp_path: Path
) -> None:
    """A document changes and changes back; the release must be the first one again, to the byte."""
    author = Author()
    workspace = released(tmp_path, author, base)
    for number in range(round(scale(PASSAGES) / A_DOCUMENT)):
        (workspace / f"data/raw/{number:05}.md").write_text(author.document(), encoding="utf-8")
    nothing = refresh(workspace, race.clock)
    first, document = (
        inventory(workspace / "refresh/models/release"),
        workspace / "data/raw/00000.md",
    )
    text = document.read_text(encoding="utf-8")
    document.write_text(author.document(), encoding="utf-8")
    refresh(workspace, race.clock)
    assert inventory(workspace / "refresh/models/release") != first
    document.write_text(text, encoding="utf-8")
    changed = refresh(workspace, race.clock)
    assert inventory(workspace / "refresh/models/release") == first
    count = len(read_table(workspace / "refresh" / chunks.PATH, chunks.SCHEMA, ["chunk"]))
    given = f"{count:,} passages, one of {len(list(document.parent.iterdir())):,} documents changed"
    race.once("refresh", given, changed, "from nothing, by the same model", nothing, 20, REASON)


def refresh(workspace: Path, clock: Callable[[], float]) -> float:
    """Seconds of a refresh; what DVC remembers of other runs doesn't count."""
    started = clock()
    run(workspace, "dvc", "repro", "--single-item", "--no-run-cache", "refresh/dvc.yaml")
    return clock() - started


def released(folder: Path, author: Author, model: Path) -> Path:
    """A workspace with a release of `model` over one document, made by the stages themselves."""
    (folder / "raw").mkdir()
    (folder / "queries").mkdir()
    (folder / "raw/first.md").write_text(author.document(), encoding="utf-8")
    workspace = lay_out(
        folder / "workspace", folder / "raw", folder / "queries", {}, cache=folder / "cache"
    )
    shutil.copytree(model, workspace / "models/base")
    for module in (questions, pairs):
        for path in module.PATHS.values():
            write_table(workspace / path, [], module.SCHEMA)
    write_table(workspace / judgments.PATH, [], judgments.SCHEMA)
    write_json(workspace / "data/verdict.json", VERDICT)
    for stage in ("ingest", "chunk", "lexical", "embed base passages", "embed base pairs", "index"):
        run(workspace, sys.executable, "-m", *f"stages.{stage}".split())
    shutil.copytree(
        workspace / "data/embeddings/base/pairs", workspace / "data/embeddings/tuned/pairs"
    )
    (workspace / "refresh").mkdir()
    shutil.copyfile(ROOT / "stages/refresh.yaml", workspace / "refresh/dvc.yaml")
    return workspace


def run(workspace: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
