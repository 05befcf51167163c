"""A tiny release, made by the stage itself from a tiny corpus and a tiny model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from argot.core.files import write_json
from argot.core.parquet import write_table
from argot.encoding.embedder import Embedder, Role
from argot.encoding.store.encoded import Encoded, tokens_of, write_encoded
from argot.encoding.store.tokens import Tokens
from argot.encoding.store.vectors import Vectors, key
from argot.encoding.token_encoder import TokenEncoder
from argot.evaluation import systems
from argot.evaluation.choosing import beside_bm25
from argot.ranking.bm25 import LEXICAL, Bm25, LexicalSettings
from argot.ranking.fusion import Fusion
from argot.tables import chunks
from argot.tables.chunks import passage
from stages import index
from tools.deps import ROOT
from tools.tiny.model import make_tiny_model

# Document, metadata, heading, texts.
CORPUS: list[tuple[str, dict[str, Any], str, list[str]]] = [
    (
        "pumps/seals.md",
        {"year": 2025, "tags": ["pump", "seal"]},
        "Pumps > Seals",
        [
            "A shaft seal that weeps more than five drops a minute is replaced.",
            "Seal kits are kept in drawer K-12.",
        ],
    ),
    (
        "pumps/noise.md",
        {"year": 2026, "tags": ["pump"]},
        "Pumps > Noise",
        [
            "A rattling pump runs dry: open the suction valve before you start it.",
            "Error E-17 means the rotor is stuck.",
        ],
    ),
    (
        "returns.md",
        {"year": 2026, "draft": True},
        "Returns",
        [
            "Damaged goods are taken back within thirty days.",
            "A refund of all costs needs the invoice.",
        ],
    ),
    (
        "pay.md",
        {},
        "",
        [
            "Wages are paid on the last working day of the month.",
            "Overtime is paid at one and a half.",
        ],
    ),
]


def model(name: str) -> systems.VectorModel:
    """A model by what `make_inputs` writes for it."""
    tokens = partial(_tokens, name)
    return replace(systems.stored(name), tokens=tokens)


def _tokens(name: str, kind: str) -> Tokens:
    return tokens_of(index.VECTORS / name / kind)


VERDICT: dict[str, Any] = {
    "model": "tuned",
    "verdict": "tuned",
    "system": "tuned+bm25+tokens",
    "fusion": {"method": "convex", "weights": {"bm25": 0.4, "dense": 0.3, "tokens": 0.3}},
    "calibration": {
        "intercept": -2.0,
        "scores": {"bm25": 2.0, "dense": 0.5, "tokens": 0.5},
        "rank": -0.5,
        "least": 0.3,
        "source": "questions",
    },
}
TWO, THREE = beside_bm25("convex", 0.5), Fusion.model_validate(VERDICT["fusion"])
SYSTEMS = systems.table(
    [model(name) for name in ("base", "tuned")],
    {f"{name}+bm25": TWO for name in ("base", "tuned")}
    | {f"{name}+bm25+tokens": THREE for name in ("base", "tuned")},
)
QUERY = "what is taken back within thirty days"
PAIR = {
    "pair": "1",
    "query": QUERY,
    "chunk": "returns.md#0",
    "source": "sentence",
    "trusted": False,
    "document": "returns.md",
    "start": 0,
    "end": 10,
    "provider": "",
    "model": "",
    "prompt": "",
    "reply": "",
}


def rows() -> list[dict[str, Any]]:
    """The corpus as rows of the table of chunks."""
    return [
        {
            "chunk": f"{document}#{position}",
            "document": document,
            "group": document,
            "position": position,
            "title": document.removesuffix(".md"),
            "heading": heading,
            "text": text,
            "start": 100 * position,
            "end": 100 * position + len(text),
            "language": "en",
            "metadata": json.dumps(metadata),
        }
        for document, metadata, heading, texts in CORPUS
        for position, text in enumerate(texts)
    ]


def make_inputs(root: Path) -> None:
    """Write into `root` all that the stage `index` reads."""
    texts = [passage(row["heading"], row["text"]) for row in rows()]
    write_table(root / chunks.PATH, rows(), chunks.SCHEMA)
    lexical = LexicalSettings(language="auto", k1=1.2, b=0.75)
    ids = [row["chunk"] for row in rows()]
    Bm25.build(ids, texts, lexical, "en").save(root / LEXICAL)
    write_json(root / index.VERDICT, VERDICT)
    write_json(root / systems.PATH, [system.model_dump() for system in SYSTEMS])
    shutil.copyfile(ROOT / "numerics.lock", root / "numerics.lock")
    # The same vectors on every machine.
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert "  precision: auto\n" in params
    precise = params.replace("  precision: auto\n", "  precision: float32\n")
    (root / "params.yaml").write_text(precise, encoding="utf-8")
    base = make_tiny_model(root / "models" / "base", texts, prompts={"query": "ask: "})
    for folder in (base, _tuned(base)):
        encoder = TokenEncoder(Embedder.load(folder, "cpu"))
        sets: list[tuple[str, list[str], Role]] = [
            ("passages", texts, "passage"),
            ("pairs", [QUERY], "query"),
        ]
        for name, some, role in sets:
            vectors, tokens = encoder.encode(some, role)
            encoded = Encoded(Vectors([key(text) for text in some], vectors), tokens)
            write_encoded(root / index.VECTORS / folder.name / name, encoded)


def _tuned(base: Path) -> Path:
    """The same model with other weights: as fine-tuning leaves it."""
    folder = Path(shutil.copytree(base, base.with_name("tuned")))
    random = np.random.default_rng(13)
    weights = load_file(base / "model.safetensors")
    moved = {
        name: (w + 0.05 * random.standard_normal(w.shape)).astype(w.dtype)
        for name, w in weights.items()
    }
    save_file(moved, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
