"""The files of this project that a stage imports, directly or not: what its `deps` in dvc.yaml must name.

python -m tests.pipeline.closure     writes them into dvc.yaml and stages/refresh.yaml
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grimp
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = (ROOT / "dvc.yaml", ROOT / "stages/refresh.yaml")
# The packages whose versions decide numbers: a stage that uses one depends on numerics.lock.
NUMERICS = {
    "bm25s", "bs4", "charset_normalizer", "datasets", "faiss", "mammoth", "markdownify", "numpy", "openpyxl", "pdfminer",
    "pdfplumber", "peft", "pptx", "py3langid", "pyarrow", "rensa", "scipy", "sentence_transformers", "sentencex", "Stemmer",
    "tokenizers", "torch", "transformers",
}  # fmt: skip


@functools.lru_cache
def import_graph() -> grimp.ImportGraph:
    # No cache: one that misses a change would declare what was true yesterday.
    return grimp.build_graph(
        "argot", "stages", include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def closure(module: str) -> list[str]:
    """Paths of `module` and of all it imports, parent packages and declared data files counted, sorted."""
    graph = import_graph()
    modules = {module, *graph.find_upstream_modules(module)}
    own = {name for name in modules if name.split(".")[0] in ("argot", "stages")}
    own |= {parent for name in own for parent in _parents(name)}
    files = {_file(name) for name in own}
    files |= {str(path.relative_to(ROOT)) for name in own for path in _data_files(name)}
    # Code that a stage reads as data, for its hash, stands in its constant CODE.
    files |= {str(path.relative_to(ROOT)) for path in getattr(importlib.import_module(module), "CODE", [])}
    if modules & NUMERICS:
        files.add("numerics.lock")
    return sorted(files)


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


def _file(module: str) -> str:
    path = Path(*module.split("."))
    return f"{path}/__init__.py" if (ROOT / path).is_dir() else f"{path}.py"


def _data_files(module: str) -> Iterator[Path]:
    """Prompts and templates lie in a folder beside the module that reads them, named by its FILES constant."""
    source = (ROOT / _file(module)).read_text(encoding="utf-8")
    for line in source.splitlines():
        if line.startswith("FILES = Path(__file__).parent / "):
            folder = (ROOT / _file(module)).parent / line.split('"')[1]
            yield from (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def main() -> None:
    yaml = YAML()
    yaml.width = 160
    yaml.indent(mapping=2, sequence=4, offset=2)
    for path in PIPELINES:
        content = yaml.load(path)
        for name, stage in stages(content):
            stage["deps"] = closure(f"stages.{name}") + [dep for dep in stage["deps"] if not is_code(dep)]
        yaml.dump(content, path)


if __name__ == "__main__":
    main()
