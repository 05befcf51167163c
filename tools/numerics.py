"""The lines of requirements.lock that decide numbers: `python -m tools.numerics > numerics.lock`."""

from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
# Distributions, not modules: what the stages compute with, and what that stands on.
DECIDING = {
    "beautifulsoup4", "bm25s", "charset-normalizer", "datasets", "faiss-cpu", "lxml", "mammoth", "markdownify", "numpy",
    "openpyxl", "pdfminer-six", "pdfplumber", "py3langid", "pyarrow", "pystemmer", "python-pptx", "rensa", "safetensors",
    "scipy", "sentence-transformers", "sentencex", "tokenizers", "torch", "transformers",
}  # fmt: skip


def numerics(lock: str) -> list[str]:
    """The deciding lines of a lock file, sorted."""
    lines = [line.strip() for line in lock.splitlines() if "==" in line]
    return sorted(
        line
        for line in lines
        if line.partition("==")[0].lower().replace("_", "-").replace(".", "-") in DECIDING
    )


if __name__ == "__main__":
    print("\n".join(numerics(LOCK.read_text(encoding="utf-8"))))
