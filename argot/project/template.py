"""The files of a new project: the pipeline of the installed Argot, as a team's repository holds it.

They are those of Argot's own repository, but for what only work on Argot needs. Stages are copied,
so that a team can read and change them. The library is not: argot.lock stands for its code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import distribution, distributions, version
from pathlib import Path
from typing import Any

import yaml

from argot.core.installed import LOCK, NAME, PACKAGE, TEMPLATE, digest
from argot.core.params import PARAMS
from argot.core.stage import LIBRARIES

# A checkout holds the files in their own places; a wheel has them in the package (pyproject.toml).
SOURCE = TEMPLATE if TEMPLATE.is_dir() else PACKAGE.parent
FILES = (
    "dvc.yaml", "params.yaml", "stages/*.py", "stages/refresh.yaml", "stages/templates/*",
    "data/queries/README.md", "data/own-pairs/README.md", ".dvc/plots/*.json",
    ".github/scripts/*.*", ".github/workflows/comment.yml", ".github/workflows/drift.yml",
    ".github/workflows/pipeline.yml", ".github/workflows/release.yml",
    ".github/workflows/repro.yml",
)  # fmt: skip
PIPELINES = ("dvc.yaml", "stages/refresh.yaml")
# Files that a team's repository may have already: lines that are missing are put at their ends.
LINES = (".gitignore", ".dvcignore", ".gitattributes")
BASE = ".argot"  # the files as Argot wrote them, by which an upgrade knows a team's changes
HIDDEN = {".dvcignore": [f"/{BASE}/"], ".gitattributes": [f"{BASE}/** linguist-generated"]}
REQUIREMENTS = "requirements-argot.txt"
WHEELS = "wheels"
# Older pips, such as that of Python 3.11, take no name beside the address of the same package.
INSTALL = (
    "python -m venv --upgrade-deps .venv && "
    f".venv/bin/pip install -q -r {REQUIREMENTS} '{NAME}[{{}}]'"
)
# What the workflows say of Argot's own repository, and what they say in a team's.
REPLACED = {
    "run: make install EXTRA=gpu": f"run: {INSTALL.format('gpu')}",
    "run: make install": f"run: {INSTALL.format('cpu')}",
    "-c requirements.lock dvc vl-convert-python": f"-r {REQUIREMENTS} '{NAME}[cpu]'",
    "PYTHONPATH=. python": "python",
    "requirements.lock": str(LIBRARIES),
}
# A link to Argot's own pages, which a team's repository has not.
DOCS = re.compile(rb" \(\[\w+\]\((?:\.\./)+docs/[^)]*\)\)")
HEAD = """\
# Which stage reads and writes what: first the data, then the code. `code.NAME` of argot.lock stands
# for the code of the installed Argot that the stage imports.

"""


def template() -> dict[str, bytes]:
    """The content of each file that a team may change, by its path in the project."""
    paths = sorted(path for pattern in FILES for path in SOURCE.glob(pattern))
    files = {path.relative_to(SOURCE).as_posix(): path.read_bytes() for path in paths}
    for name in PIPELINES:
        files[name] = (HEAD + _with_installed_code(files[name])).encode()
    files[str(PARAMS)] = re.sub(rb'(?m)^  name: "Sample: .*"$', b'  name: ""', files[str(PARAMS)])
    files[REQUIREMENTS] = _requirements().encode()
    return {_place(name): _for_a_team(name, content) for name, content in files.items()}


def generated() -> dict[str, bytes]:
    """argot.lock and numerics.lock, which say what is installed here: nobody edits them."""
    pipeline = yaml.safe_load((SOURCE / PIPELINES[0]).read_text(encoding="utf-8"))
    code = {name: digest(_code(stage)) for name, stage in _stages(pipeline)}
    lock = {"version": version(NAME), "package": digest([PACKAGE]), "code": code}
    text = "# Written by `argot init` and `argot upgrade`: the Argot that this project runs.\n"
    text += yaml.safe_dump(lock, sort_keys=False, width=100)
    return {str(LOCK): text.encode(), str(LIBRARIES): _numerics().encode()}


def lines(name: str) -> list[str]:
    """The lines of `name`, one of LINES, that a project needs; blank lines end them."""
    needed = (SOURCE / name).read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    return [line for line in needed if not line.startswith("#")] + HIDDEN.get(name, [])


def _place(name: str) -> str:
    """Where a project has a file: its own workflows may have the names of Argot's."""
    return name.replace(".github/workflows/", ".github/workflows/argot-")


def _for_a_team(name: str, content: bytes) -> bytes:
    if name.startswith(".github/workflows/"):
        for own, team in REPLACED.items():
            content = content.replace(own.encode(), team.encode())
    return DOCS.sub(b"", content) if name.endswith(".md") else content


def _with_installed_code(content: bytes) -> str:
    """A pipeline whose stages depend on argot.lock in place of the library's files."""
    pipeline = yaml.safe_load(content)
    for name, stage in _stages(pipeline):
        stage["deps"] = [dep for dep in stage["deps"] if not dep.startswith("argot/")]
        stage["params"] = [*stage.get("params", []), {str(LOCK): [f"code.{name}"]}]
    text = yaml.safe_dump(pipeline, sort_keys=False, default_flow_style=None, width=90)
    return re.sub(r"(?<!stages:)\n(?=metrics:|  [a-z]+:\n    (?:desc|foreach):)", "\n\n", text)


def _stages(pipeline: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, stage in pipeline["stages"].items():
        yield name, stage.get("do", stage)


def _code(stage: dict[str, Any]) -> list[Path]:
    return [PACKAGE.parent / dep for dep in stage["deps"] if dep.startswith("argot/")]


def _numerics() -> str:
    """The installed versions of the libraries that decide numbers, by Argot's own list of them."""
    listed = (SOURCE / LIBRARIES).read_text(encoding="utf-8").split()
    deciding = {_normal(line.partition("==")[0]) for line in listed} | {"faiss-gpu"}
    found = {f"{library.name}=={library.version}" for library in distributions()}
    # A version such as 2.13.0+cpu says for which machine it was built, and pip can't pin that.
    pins = {pin.partition("+")[0] for pin in found if _normal(pin.partition("==")[0]) in deciding}
    return "".join(f"{pin}\n" for pin in sorted(pins))


def _normal(name: str) -> str:
    """A distribution's name as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_for_others() -> bool:
    """Can others install this Argot by its version, or from git? Not if it came from a file."""
    origin = _origin()
    return not origin or "vcs_info" in origin


def _origin() -> dict[str, Any]:
    """Where this installation came from; empty where that was an index."""
    found: dict[str, Any] = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    return found


def _requirements() -> str:
    """What colleagues and workflows install: from where this installation came, if git knows it."""
    origin = _origin()
    commit = origin.get("vcs_info", {}).get("commit_id")
    which = f" @ git+{origin['url']}@{commit}" if commit else f"=={version(NAME)}"
    wheels = "" if is_for_others() else f"--find-links {WHEELS}\n"
    return (
        f"# What this pipeline runs with: pip install -r {REQUIREMENTS} '{NAME}[cpu]' (or [gpu]),\n"
        f"# with pip 23.3 or newer.\n-c {LIBRARIES}\n{wheels}{NAME}[pipeline,remote]{which}\n"
    )
