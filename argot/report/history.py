"""What git knows of the data and of earlier verdicts. No stage reads it: git is no declared dep."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

# Where the documents and the questions are, for git. A folder that DVC tracks is there by its file.
DATA = ("data/raw", "data/raw.dvc", "data/own-pairs", "data/queries/*.jsonl")
VERDICT = "reports/verdict.json"


class DataVersion(NamedTuple):
    """The commit that last changed documents or questions, and its date."""

    date: str
    commit: str


def data_version() -> DataVersion | None:
    """When documents or questions last changed, as git says.

    None where that can't be told alike by every clone: outside of git, with changes that are not
    committed, or with a history that was cut off.
    """
    if git("rev-parse", "--is-shallow-repository") != "false":
        return None
    if git("status", "--porcelain", "--", *DATA):
        return None
    date, _, commit = git("log", "-1", "--format=%cs %H", "--", *DATA).partition(" ")
    return DataVersion(date, commit[:10]) if commit else None


def verdicts_on_record() -> int:
    """How many commits of this branch changed the verdict; 0 outside a git repository."""
    return int(git("rev-list", "--count", "HEAD", "--", VERDICT) or 0)


def too_many_looks(allowed: int) -> str:
    """What to do where more verdicts are in git than `release.looks` allows for; else ""."""
    recorded = verdicts_on_record()
    if recorded <= allowed:
        return ""
    return (
        f"{recorded} verdicts are in git, and `release.looks` allows for {allowed}: if the same "
        f"test questions decided them all, set it to {recorded}."
    )


def git(*arguments: str) -> str:
    """What git prints; "" where it fails or is not installed."""
    try:
        run = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run.stdout.strip()
