"""What tests do with a copy of the tiny release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from argot.search.release import MANIFEST, inventory, sealed


def reseal(folder: Path, **changes: object) -> None:
    """Make the manifest agree with the files again, as who mixes two releases on purpose would."""
    path = folder / MANIFEST
    content = json.loads(path.read_text())
    files = {name: file.model_dump() for name, file in inventory(folder).items()}
    path.write_text(json.dumps(sealed({**content, **changes, "files": files})))


def without_tokens(release: Path) -> None:
    """Make the release one that was made before there were tokens."""
    shutil.rmtree(release / "tokens")
    content = json.loads((release / MANIFEST).read_text())
    content["verdict"]["system"] = "tuned+bm25"
    content["verdict"]["fusion"]["weights"] = {"bm25": 0.5, "dense": 0.5}
    content["verdict"]["calibration"] = None
    del content["rankers"]["tokens"]
    reseal(release, verdict=content["verdict"], rankers=content["rankers"])
