"""The same project on machines of several kinds: their BLAS adds in other orders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from argot.core.files import sha256
from tools.tiny.project import environment

# By what variables a processor appears older to OpenBLAS and to numpy: with fewer instructions.
OLDER = {
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
}
KERNEL = (
    "import json, numpy as np; from threadpoolctl import threadpool_info;"
    "names = [library.get('architecture') for library in threadpool_info()];"
    "draw = np.random.default_rng(0).standard_normal((2, 50, 384)).astype(np.float32);"
    "print(json.dumps([names, (draw[0] @ draw[1].T).tolist()]))"
)
OUTPUTS = ("data", "models/release")

pytestmark = pytest.mark.xdist_group("pipeline")  # whose project it shares


def run(workspace: Path, changed: dict[str, str], *command: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        cwd=workspace,
        env={**environment(), **changed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def hashes(workspace: Path) -> dict[str, str]:
    files = [file for folder in OUTPUTS for file in (workspace / folder).rglob("*")]
    return {str(file.relative_to(workspace)): sha256(file) for file in files if file.is_file()}


def test_another_blas_gives_the_same_bytes(workspace: Path) -> None:
    names, product = json.loads(run(workspace, {}, "-c", KERNEL))
    others, other_product = json.loads(run(workspace, OLDER, "-c", KERNEL))
    if product == other_product:
        pytest.skip(f"this BLAS has one kernel here: {names}, {others}")
    before = hashes(workspace)
    for stage in ("mine", "evaluate", "index"):
        run(workspace, OLDER, "-m", f"stages.{stage}")
    assert hashes(workspace) == before
    assert "data/training.parquet" in before and "models/release/index.faiss" in before
