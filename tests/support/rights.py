"""A tiny release with access rights, and one like it that holds only what some group may see."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import yaml

from argot.core.parquet import write_table
from argot.encoding.embedder import Embedder
from argot.encoding.store.encoded import Encoded, write_encoded
from argot.encoding.store.vectors import Vectors, key
from argot.encoding.token_encoder import TokenEncoder
from argot.ranking.bm25 import LEXICAL, Bm25, LexicalSettings
from argot.tables import chunks
from argot.tables.chunks import passage
from stages import index
from tools.tiny.release import make_inputs, rows

# Who may see what: pay.md has no groups, so nobody sees it.
GROUPS: dict[str, list[Any]] = {
    "pumps/seals.md": ["mechanics", "legal"],
    "pumps/noise.md": ["mechanics"],
    "returns.md": ["everyone"],
    "pay.md": [],
}
SEEN = {
    "mechanics": {"pumps/seals.md", "pumps/noise.md", "returns.md"},
    "legal": {"pumps/seals.md", "returns.md"},
    "nobody": {"returns.md"},
}

# Words of every passage: of those that somebody may see, and of those that nobody may.
ALL_WORDS = "seal drawer pump rotor E-17 goods refund wages overtime paid month invoice"


def make_release(
    root: Path, documents: Collection[str] = tuple(GROUPS), rights: bool = True
) -> Path:
    """Make in `root` a release of some documents, with groups in their metadata."""
    make_inputs(root)
    kept = [with_groups(row) for row in rows() if row["document"] in documents]
    texts = [passage(row["heading"], row["text"]) for row in kept]
    ids = [row["chunk"] for row in kept]
    write_table(root / chunks.PATH, kept, chunks.SCHEMA)
    lexical = LexicalSettings(language="auto", k1=1.2, b=0.0)  # b: no average length in the scores
    Bm25.build(ids, texts, lexical, "en").save(root / LEXICAL)
    encoder = TokenEncoder(Embedder.load(root / "models" / "tuned", "cpu"))
    vectors, tokens = encoder.encode(texts, "passage")
    stored = root / index.VECTORS / "tuned" / "passages"
    write_encoded(stored, Encoded(Vectors([key(text) for text in texts], vectors), tokens))
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["index"]["groups"] = rights
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        index.main()
    return root / index.RELEASE


def with_groups(row: dict[str, Any]) -> dict[str, Any]:
    metadata = json.loads(row["metadata"])
    return {**row, "metadata": json.dumps({**metadata, "groups": GROUPS[row["document"]]})}
