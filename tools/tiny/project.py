"""A tiny project: a few documents and questions, a tiny random model, the real pipeline."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tools.tiny.model import make_tiny_model
from tools.workspace import environment as programs_first
from tools.workspace import lay_out

TOPICS = {
    "anchors": ("anchor", "windlass", "chain locker", "the bosun greases the brake"),
    "bilge": ("bilge pump", "strainer", "oily water", "the engineer logs each discharge"),
    "cargo": ("cargo plan", "lashing", "dunnage", "the chief mate signs the plan"),
    "drills": ("fire drill", "muster list", "breathing set", "the crew meets on the poop deck"),
    "engine": ("main engine", "fuel rack", "turning gear", "the watch checks the crankcase"),
    "galley": ("galley", "cold room", "fryer", "the cook tests the extinguisher"),
    "hull": ("hull", "zinc plate", "draught mark", "a diver cleans the sea chest"),
    "ladders": ("pilot ladder", "man rope", "spreader", "the mate inspects every step"),
    "mooring": ("mooring line", "bollard", "snap-back zone", "nobody stands in the bight"),
    "radio": ("radio", "beacon", "distress call", "the operator tests on channel seventy"),
    "rudder": ("rudder", "steering gear", "emergency tiller", "the helmsman reports the angle"),
    "tanks": ("ballast tank", "sounding pipe", "gas meter", "a permit is signed before entry"),
}
TINY_PARAMS: dict[str, Any] = {"train.epochs": 2, "train.passages": 8, "train.hard_group": 2}


def documents(folder: Path) -> None:
    """Write one small handbook chapter a topic."""
    folder.mkdir(parents=True)
    for name, (first, second, third, rule) in TOPICS.items():
        sections = [
            f"# The {first}",
            f"The {first} and the {second} are checked each morning. "
            f"Before use, {rule}, and the time is noted.",
            f"## How is the {second} kept ready?",
            f"The {second} is washed with fresh water every week. "
            f"A worn {second} is changed at the next port of call.",
            f"## Faults of the {third}",
            f"A {third} that leaks or sticks is reported to the bridge at once. "
            f"Until it is mended the {first} stays shut.",
        ]
        (folder / f"{name}.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def questions(folder: Path) -> None:
    """Write a test question a topic, and a few for dev and train."""
    folder.mkdir(parents=True)
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for number, (name, (_, second, third, _)) in enumerate(TOPICS.items()):
            quote = f"A worn {second} is changed at the next port of call."
            asked = {
                "query": f"when do we replace the {second}?",
                "relevant": [{"document": f"{name}.md", "quote": quote}],
            }
            file.write(json.dumps(asked) + "\n")
            if number % 4 == 0:
                split = "dev" if number % 8 else "train"
                other = {
                    "query": f"the {third} sticks, whom do I tell?",
                    "relevant": [{"document": f"{name}.md"}],
                }
                file.write(json.dumps({**other, "split": split}) + "\n")


def project(folder: Path, params: dict[str, Any] | None = None) -> Path:
    """Lay out a workspace for the tiny project: nothing has run in it yet."""
    documents(folder / "source" / "raw")
    questions(folder / "source" / "queries")
    model = folder / "model"
    make_tiny_model(
        model,
        [text.read_text(encoding="utf-8") for text in sorted((folder / "source/raw").iterdir())],
    )
    workspace = folder / "workspace"
    changed = {"fetch.model": f"path:{model}", **TINY_PARAMS, **(params or {})}
    return lay_out(
        workspace, folder / "source/raw", folder / "source/queries", changed, cache=folder / "cache"
    )


def environment() -> dict[str, str]:
    """The environment of a command: this interpreter's programs first, one thread."""
    return {**programs_first(), "OMP_NUM_THREADS": "1"}


def dvc(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real dvc in a workspace."""
    return subprocess.run(
        ["dvc", *arguments],
        cwd=workspace,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
