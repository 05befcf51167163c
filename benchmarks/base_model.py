"""The default base model, all-MiniLM-L6-v2, for races that need a real one."""

from __future__ import annotations

import shutil
from contextlib import chdir
from pathlib import Path

from tools.workspace import ROOT


def fetch(folder: Path) -> Path:
    """Fetch it into `folder`, as the stage does, and return where it lies."""
    from stages import fetch as stage

    shutil.copy(ROOT / "params.yaml", folder)
    with chdir(folder):
        stage.main()
    return folder / "models/base"
