"""From documents to an index: the tutorials' recipe against `dvc repro`.

Both take minutes, so each is run once, on the sample corpus (`--corpus FOLDER` for another one).
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from benchmarks import seed_recipe
from benchmarks.track import Track
from tools.workspace import ROOT, lay_out, repro

EPOCHS = 3


def test_from_documents_to_an_index(
    race: Track, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    corpus = Path(request.config.getoption("--corpus") or ROOT / "data").resolve()
    small = request.config.getoption("--small")
    params = {"train.epochs": EPOCHS} | ({"train.max_passages": 40} if small else {})
    workspace = lay_out(
        tmp_path / "ours", corpus / "raw", corpus / "queries", params, cache=tmp_path / "cache"
    )
    started = time.perf_counter()
    repro(workspace, "index")
    ours = time.perf_counter() - started
    evaluated = json.loads((workspace / "data/figures/evaluate.json").read_text(encoding="utf-8"))
    shipped = json.loads((workspace / "data/verdict.json").read_text(encoding="utf-8"))
    systems = evaluated["questions"]["test"]
    theirs = seed_recipe.run(workspace / "models/base", workspace, EPOCHS)
    reached = systems[shipped["system"]]["document_ndcg@10"]
    print(
        f"\ndocument nDCG@10: ours {reached:.4f}, "
        f"tuned alone {systems['tuned']['document_ndcg@10']:.4f}; {theirs}"
    )
    if not small:
        assert reached >= theirs["document_ndcg@10"]
    race.once(
        "documents to index, 3 epochs",
        f"{corpus.name}, {theirs['chunks']:.0f} of their chunks; "
        f"document nDCG@10 {theirs['document_ndcg@10']:.3f} "
        f"against {reached:.3f}",
        ours,
        "the tutorials' recipe",
        theirs["total"],
        20,
    )
