"""The lines of requirements.lock that decide numbers: `python -m tests.numerics > numerics.lock`."""

from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
# Distributions, not modules: what the stages compute with, and what that stands on.
DECIDING = {
    "bm25s", "datasets", "datasketch", "faiss-cpu", "markitdown", "numpy", "pdfminer-six", "peft", "py3langid", "pyarrow",
    "pystemmer", "safetensors", "semchunk", "sentence-transformers", "tokenizers", "torch", "transformers",
}  # fmt: skip


def numerics(lock: str) -> list[str]:
    """The deciding lines of a lock file, sorted."""
    lines = [line.strip() for line in lock.splitlines() if "==" in line]
    return sorted(line for line in lines if line.partition("==")[0].lower().replace("_", "-").replace(".", "-") in DECIDING)


if __name__ == "__main__":
    print("\n".join(numerics(LOCK.read_text(encoding="utf-8"))))
