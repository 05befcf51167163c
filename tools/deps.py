"""Write the `deps:` of each stage in dvc.yaml: its data, then the code that it imports.

DVC does not see Python imports (treeverse/dvc #9195), so what a stage imports is listed, exactly. A
package whose files are all imported is named by its folder, which DVC takes for the hash of all
that is in it.

python -m tools.deps     writes the code into dvc.yaml and stages/refresh.yaml
"""

from __future__ import annotations

import argparse
import ast
import functools
import re
import subprocess
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grimp
import yaml

from tools.numerics import deciding_modules

ROOT = Path(__file__).resolve().parents[1]
PIPELINES = (ROOT / "dvc.yaml", ROOT / "stages/refresh.yaml")
WIDTH = 100


@functools.lru_cache
def import_graph() -> grimp.ImportGraph:
    """All imports between modules, but for those that only the type checker sees."""
    # No cache: one that misses a change would declare what was true yesterday.
    return grimp.build_graph(
        "argot",
        "stages",
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


def closure(module: str) -> set[str]:
    """Paths of `module`, of all it imports, and of the files beside them that they read."""
    graph = import_graph()
    modules = {module, *graph.find_upstream_modules(module)}
    own = {name for name in modules if name.split(".")[0] in ("argot", "stages")}
    own |= {parent for name in own for parent in _parents(name)}
    files = {file for name in own for file in _files(name)}
    if modules & deciding_modules():
        files.add("numerics.lock")
    return files


def folded(files: Iterable[str]) -> list[str]:
    """The same files, sorted, a folder of which all files are among them named in their place."""
    left, folders = set(files), []
    for folder, content in _folders().items():
        if content and content <= left:
            folders.append(folder)
            left -= content
    return sorted([*folders, *left], key=_reading_order)


def _reading_order(file: str) -> tuple[int, str]:
    """The stage itself first, the versions of libraries last."""
    return 0 if file.startswith("stages/") else 2 if file == "numerics.lock" else 1, file


def expanded(deps: Iterable[str]) -> set[str]:
    """The files that deps name, those of folders included: what `folded` was given."""
    return {file for dep in deps for file in _folders().get(dep, {dep})}


def stages(dvc_yaml: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each stage's name and its definition, the body of a `foreach` being one."""
    for name, stage in dvc_yaml["stages"].items():
        yield name, stage.get("do", stage)


def is_code(dependency: str) -> bool:
    """Is this dep code, and not data?"""
    return dependency.startswith(("argot/", "stages/")) or dependency == "numerics.lock"


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _files(module: str) -> Iterator[str]:
    """The module's file, unless it is only a docstring, and the data files that it names."""
    path = Path(*module.split("."))
    file = path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")
    if not _only_docstring(ROOT / file):
        yield str(file)
    source = (ROOT / file).read_text(encoding="utf-8")
    for data in _tracked():
        if data.endswith(".py") or not data.startswith(f"{file.parent}/"):
            continue
        if f'"{Path(data).relative_to(file.parent).parts[0]}"' in source:
            yield data


def _only_docstring(path: Path) -> bool:
    if path.name != "__init__.py":
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) for node in body)


@functools.lru_cache
def _tracked() -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "argot", "stages"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(file for file in listed.stdout.split("\n") if file and (ROOT / file).is_file())


@functools.lru_cache
def _folders() -> dict[str, set[str]]:
    """Each folder of code with all that counts in it, the outermost first."""
    folders: dict[str, set[str]] = {}
    for file in _tracked():
        if _only_docstring(ROOT / file):
            continue
        for folder in Path(file).parents:
            folders.setdefault(str(folder), set()).add(file)
    # The two roots hold what no stage imports, and a root's __init__ says what the library is.
    return {
        folder: folders[folder]
        for folder in sorted(folders, key=lambda name: name.count("/"))
        if folder not in (".", "argot", "stages")
    }


def written(text: str, deps: dict[str, list[str]]) -> str:
    """The text of a pipeline with the deps of its stages in flow style, two blocks a stage."""
    lines, out, stage = text.split("\n"), [], ""
    at = 0
    while at < len(lines):
        line = lines[at]
        named = re.fullmatch(r"  ([a-z]+):", line)
        stage = named[1] if named else stage
        out.append(line)
        at += 1
        if line.strip() == "deps:" and stage in deps:
            indent = len(line) - len(line.lstrip())
            while lines[at].startswith(" " * (indent + 1)):
                at += 1
            out += _flow(deps[stage], indent + 2)
    return "\n".join(out)


def _flow(deps: list[str], indent: int) -> list[str]:
    def block(items: list[str]) -> list[str]:
        quoted = [f'"{item}"' if "$" in item else item for item in items]
        return textwrap.wrap(", ".join(quoted), WIDTH - indent - 2, break_on_hyphens=False)

    data = [dep for dep in deps if not is_code(dep)]
    code = [dep for dep in deps if is_code(dep)]
    lines = [*block(data), *block(code)]
    if data and code:
        lines[len(block(data)) - 1] += ","
    first, *rest = [line.rstrip() for line in lines]
    return [" " * indent + "[" + first, *(" " * (indent + 1) + line for line in rest[:-1]),
            *([" " * (indent + 1) + rest[-1] + "]"] if rest else [])]  # fmt: skip


def main() -> None:
    """Write the deps of both pipelines."""
    for path in PIPELINES:
        text = path.read_text(encoding="utf-8")
        deps = {
            name: [dep for dep in stage["deps"] if not is_code(dep)]
            + folded(closure(f"stages.{name}"))
            for name, stage in stages(yaml.safe_load(text))
        }
        path.write_text(written(text, deps), encoding="utf-8")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
