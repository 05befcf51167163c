"""The lines of requirements.lock that decide numbers: `python -m tools.numerics > numerics.lock`.

A stage that imports one of these libraries depends on numerics.lock, so a new version makes it run
again.
"""

from __future__ import annotations

import argparse
import functools
from importlib.metadata import packages_distributions
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
# Distributions whose version can change a table, a vector or a figure: what stages compute with,
# and what that uses.
DECIDING = {
    "beautifulsoup4", "bm25s", "charset-normalizer", "datasets", "faiss-cpu", "lxml", "mammoth",
    "markdownify", "numpy", "openpyxl", "pdfplumber", "peft", "py3langid", "pyarrow", "pypdfium2",
    "pystemmer", "python-pptx", "rensa", "safetensors", "scipy", "sentence-transformers",
    "sentencex", "tokenizers", "torch", "transformers", "tree-sitter",
    "tree-sitter-c-sharp", "tree-sitter-cpp", "tree-sitter-go", "tree-sitter-java",
    "tree-sitter-javascript", "tree-sitter-php", "tree-sitter-python", "tree-sitter-ruby",
    "tree-sitter-rust", "tree-sitter-typescript",
}  # fmt: skip


def numerics(lock: str) -> list[str]:
    """The deciding lines of a lock file, sorted."""
    lines = [line.strip() for line in lock.splitlines() if "==" in line]
    return sorted(line for line in lines if normal(line.partition("==")[0]) in DECIDING)


@functools.cache
def deciding_modules() -> set[str]:
    """The modules of these distributions, which Python knows by other names than pip."""
    return {
        module
        for module, names in packages_distributions().items()
        if DECIDING & {normal(name) for name in names}
    }


def normal(name: str) -> str:
    """A distribution's name as PyPI compares names."""
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("\n".join(numerics(LOCK.read_text(encoding="utf-8"))))
