"""Run the pipeline over a folder of documents, in a workspace of its own.

    python -m tools.workspace FOLDER [--into WORKSPACE] [SECTION.KEY=VALUE ...]

FOLDER holds `raw/` and, where there are some, `queries/`. The workspace is made under
`workspaces/`, or laid out again where it exists; it shares the repository's DVC cache, so that
what was computed before is not computed again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from argot.errors import ArgotError, InputError

ROOT = Path(__file__).resolve().parent.parent
CODE = ("argot", "stages", "dvc.yaml", "params.yaml", "numerics.lock", ".dvcignore", ".gitignore")


def lay_out(
    workspace: Path,
    documents: Path,
    queries: Path,
    params: dict[str, Any],
    cache: Path = ROOT / ".dvc/cache",
) -> Path:
    """Copy this repository's code, the documents, the questions and changed params to `workspace`.

    What a run left there (outs, `dvc.lock`) stays, so that a second run is a change and not a
    beginning.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    for name in CODE:
        _copy(ROOT / name, workspace / name)
    _copy(documents, workspace / "data/raw")
    _copy(queries, workspace / "data/queries")
    _copy(ROOT / "data/queries/README.md", workspace / "data/queries/README.md")
    _change(workspace / "params.yaml", params)
    if not (workspace / ".dvc").exists():
        _run(["git", "init", "-q"], workspace)
        _run(["dvc", "init", "-q"], workspace)
        _run(["dvc", "cache", "dir", "--local", str(cache)], workspace)
    _copy(ROOT / ".dvc/plots", workspace / ".dvc/plots")
    return workspace


def repro(workspace: Path, *targets: str) -> None:
    """Run `dvc repro` there with this interpreter; raise CalledProcessError if a stage fails."""
    _run(["dvc", "repro", *targets], workspace)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _change(path: Path, params: dict[str, Any]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in params.items():
        *sections, name = key.split(".")
        place = content
        for section in sections:
            place = place.get(section) or {}
        if name not in place:
            raise InputError(f"params.yaml has no '{key}'")
        place[name] = value
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _run(command: list[str], folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PATH": path})


def main() -> None:
    """Lay out the workspace that the command line names, and run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path)
    parser.add_argument("params", nargs="*")
    arguments = parser.parse_args()
    params = {
        key: yaml.safe_load(value)
        for key, _, value in (pair.partition("=") for pair in arguments.params)
    }
    folder = arguments.folder.resolve()
    workspace = arguments.into or ROOT / "workspaces" / folder.name
    try:
        repro(lay_out(workspace, folder / "raw", folder / "queries", params))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except ArgotError as error:
        sys.exit(f"workspace: error: {error}")


if __name__ == "__main__":
    main()
