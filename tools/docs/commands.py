"""The commands that a page of documentation tells its reader to type."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """The blocks marked `bash`, in order; what only shows a form is marked `sh`."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))
