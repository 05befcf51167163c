"""The same question asked of the base model, the tuned one and BM25, in the repository that made them."""

from __future__ import annotations

from pathlib import Path

from argot.core.parquet import read_table
from argot.encoding.embedder import Embedder
from argot.encoding.store import read_vectors
from argot.search.bm25 import Bm25
from argot.search.hits import MISSING, search_exact, tie_order
from argot.search.release import LEXICAL
from argot.tables import chunks
from argot.tables.chunks import passages_of

MODELS = ("base", "tuned")


def compare(
    question: str, k: int, root: Path = Path(), device: str = "auto"
) -> dict[str, list[str]]:
    """The k best passages, as `document › heading`, of each system by its name."""
    table = read_table(root / chunks.PATH, chunks.SCHEMA)
    texts = passages_of(table)
    ties = tie_order(table["chunk"].to_pylist())
    names = [f"{row['document']} › {row['heading']}\n{row['text']}" for row in table.to_pylist()]
    found = {}
    for model in MODELS:
        vectors = read_vectors(root / "data" / "embeddings" / model / "passages").of(texts)
        query = Embedder.load(root / "models" / model, device).encode_queries([question])
        found[model] = search_exact(query, vectors, k, ties)
    found["bm25"] = Bm25.load(root / "models" / "release" / LEXICAL).search([question], k)
    return {
        name: [names[at] for at in hits.positions[0] if at != MISSING]
        for name, hits in found.items()
    }
