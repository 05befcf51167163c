"""Run the pipeline over a folder of documents, in a workspace of its own.

    python -m tools.workspace FOLDER [--into WORKSPACE] [SECTION.KEY=VALUE ...]

FOLDER holds `raw/` and, where there are some, `queries/` and `own-pairs/`. The workspace is made
under `workspaces/`, or laid out again where it exists; it shares the repository's DVC cache, so
that what was computed before is not computed again. Files that were changed or added in the
workspace stay as they are there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from argot.core.files import sha256, write_json
from argot.errors import ArgotError, InputError

ROOT = Path(__file__).resolve().parent.parent
CODE = ("argot", "stages", "dvc.yaml", "params.yaml", "numerics.lock", ".dvcignore", ".gitignore")
RECORD = "laid_out.json"  # the hash of each file as it was laid out, by its path
PARAMS = "params.yaml"
SAMPLE, SAMPLE_NAME = ROOT / "data/raw", 'name: "Sample: a freight forwarder"'
PROGRAMS = str(Path(sys.executable).parent)  # where commands are looked for first, as in PATH


def lay_out(
    workspace: Path,
    documents: Path,
    queries: Path,
    params: dict[str, Any],
    cache: Path = ROOT / ".dvc/cache",
) -> Path:
    """Copy this repository's code, the documents, the questions and changed params to `workspace`.

    A folder `own-pairs` beside the questions goes with them.

    What a run left there (outs, `dvc.lock`) stays, so that a second run is a change and not a
    beginning. So do judgments, params and other files that were changed or added in the workspace:
    those that differ from what was laid out are named. Raises InputError where `workspace` holds
    something and is no workspace.
    """
    if not documents.is_dir():
        raise InputError(f"{documents} is missing; FOLDER must hold raw/ with the documents")
    before = _read_record(workspace)
    sources = _sources(documents, queries)
    record = {name: sha256(path) for name, path in sources.items()}
    kept = sorted(
        name for name in {*before, *record} if _changed(workspace / name, before.get(name))
    )
    for name in before.keys() - record.keys() - set(kept):
        (workspace / name).unlink(missing_ok=True)
    for name in kept:
        record[name] = before.get(name, "")
        print(f"workspace: kept as it was changed there: {workspace / name}", file=sys.stderr)
    # Before the files, so that what a kill leaves is a workspace.
    write_json(workspace / RECORD, record)
    for name in record.keys() - set(kept):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sources[name], workspace / name)
    if PARAMS not in kept and documents.resolve() != SAMPLE:
        _name(workspace / PARAMS, documents.resolve().parent.name)
    if params:  # written again, it loses its comments
        _change(workspace / PARAMS, params)
    if PARAMS not in kept:
        write_json(workspace / RECORD, {**record, PARAMS: sha256(workspace / PARAMS)})
    if not (workspace / ".dvc").exists():
        _run(["git", "init", "-q"], workspace)
        _run(["dvc", "init", "-q"], workspace)
        _run(["dvc", "cache", "dir", "--local", str(cache)], workspace)
    shutil.copytree(ROOT / ".dvc/plots", workspace / ".dvc/plots", dirs_exist_ok=True)
    return workspace


def repro(workspace: Path, *targets: str) -> None:
    """Run `dvc repro` there with this interpreter; raise CalledProcessError if a stage fails."""
    _run(["dvc", "repro", *targets], workspace)


def _read_record(workspace: Path) -> dict[str, str]:
    record = workspace / RECORD
    try:
        found: dict[str, str] = dict(json.loads(record.read_text(encoding="utf-8")))
        return found
    except FileNotFoundError:
        if workspace.exists() and any(workspace.iterdir()):
            raise InputError(
                f"{workspace} is not empty and no workspace; name a new folder by --into"
            ) from None
        return {}
    except (TypeError, ValueError) as error:
        raise InputError(f"{record} is damaged ({error}); name a new folder by --into") from None


def _sources(documents: Path, queries: Path) -> dict[str, Path]:
    """Where each file of a workspace comes from, by its path there."""
    places = {name: ROOT / name for name in CODE}
    places |= {"data/raw": documents, "data/queries": queries}
    places |= {"data/own-pairs": queries.parent / "own-pairs"}
    sources = {}
    for name, source in places.items():
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts:
                sources[(Path(name) / path.relative_to(source)).as_posix()] = path
    # DVC refuses a folder that is missing, so each has a file.
    for name in ("data/queries/README.md", "data/own-pairs/README.md"):
        sources[name] = ROOT / name
    return sources


def _changed(path: Path, digest: str | None) -> bool:
    """Is there a file other than the one that was laid out, or where none was?"""
    return path.is_file() and sha256(path) != digest


def _name(path: Path, name: str) -> None:
    """Head the report with the name of the documents' folder, and not as the sample's."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(SAMPLE_NAME, f"name: {json.dumps(name)}"), encoding="utf-8")


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


def environment() -> dict[str, str]:
    """The environment of a command: this interpreter's programs come first."""
    return {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, env=environment())


def changed_param(text: str) -> tuple[str, Any]:
    """SECTION.KEY=VALUE, the value read as YAML."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise argparse.ArgumentTypeError(f"{text!r} is not SECTION.KEY=VALUE")
    return key, yaml.safe_load(value)


def main() -> None:
    """Lay out the workspace that the command line names, and run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path)
    parser.add_argument("params", nargs="*", type=changed_param, metavar="SECTION.KEY=VALUE")
    arguments = parser.parse_args()
    params = dict(arguments.params)
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
