"""Share paid replies through DVC: pulled before a run, and pushed after it.

    python -m argot.llm.share pull     fetch the replies that data/replies.dvc names; keep ours
    python -m argot.llm.share push     the same, then track all replies, and push them

Both join the segments of all sides. `dvc pull` alone would drop the replies that are not tracked
yet, and `dvc add` alone those that were not pulled.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from argot.core.files import replacing
from argot.core.stage import run
from argot.llm.calls.store import REPLIES, Store

TRACKED = Path(f"{REPLIES}.dvc")
COMPLETE = "complete"
# Segments are never changed, only added: DVC can merge two branches' lists of them.
DRIVER = "dvc git-hook merge-driver --ancestor %O --our %A --their %B"


def pull() -> str:
    """Fetch the tracked segments that are not here; without a remote, only from DVC's cache."""
    _dvc_merges()
    if not TRACKED.exists():
        return "no replies are tracked yet"
    return (
        COMPLETE
        if _bring()
        else "tracked replies are not in the cache and could not be fetched; is a remote set?"
    )


def push() -> str:
    """Track and push the replies, unless tracked ones are missing: `dvc add` would drop those."""
    line = pull()
    with Store():  # seals what a killed run left
        pass
    if not REPLIES.exists():
        return "no replies yet"
    if TRACKED.exists() and line != COMPLETE:
        return f"nothing pushed: {line}"
    subprocess.run(["dvc", "add", "-q", str(REPLIES)], check=True)
    remote = subprocess.run(
        ["dvc", "remote", "list"], check=True, capture_output=True, text=True
    ).stdout.strip()
    if remote:
        subprocess.run(["dvc", "push", "-q", str(TRACKED)], check=True)
    return f"tracked{' and pushed' if remote else ', but no remote is set'}; commit {TRACKED}"


def _bring() -> bool:
    from dvc.api import DVCFileSystem
    from dvc_data.index.index import DataIndexDirError

    REPLIES.mkdir(parents=True, exist_ok=True)
    tracked = DVCFileSystem(".")
    try:
        for name in sorted(tracked.ls(REPLIES.as_posix(), detail=False, dvc_only=True)):
            here = REPLIES / Path(name).name
            if not here.exists():
                with replacing(here) as beside:
                    tracked.get_file(name, str(beside))
    except (OSError, DataIndexDirError):
        return False
    return True


def _dvc_merges() -> None:
    subprocess.run(["git", "config", "merge.dvc.name", "DVC merge driver"], check=False)
    subprocess.run(["git", "config", "merge.dvc.driver", DRIVER], check=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("way", choices=["pull", "push"])
    run("replies", {"pull": pull, "push": push}[parser.parse_args().way])
