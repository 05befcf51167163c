"""The peer of the server's race: semantic search behind FastAPI as tutorials write it.

python -m benchmarks.tutorial_server FOLDER PORT
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from sentence_transformers import SentenceTransformer


def create_app(folder: Path) -> FastAPI:
    app = FastAPI()
    model = SentenceTransformer(str(folder / "model"), device="cpu")
    embeddings = np.load(folder / "vectors.npy")
    texts = (folder / "texts.txt").read_text(encoding="utf-8").split("\n")

    @app.get("/readyz")
    def readyz() -> dict[str, bool]:
        return {"ready": True}

    @app.get("/search")
    def search(query: str, k: int = 10) -> list[dict[str, Any]]:
        vector = model.encode(query, normalize_embeddings=True)
        scores = embeddings @ vector
        best = np.argsort(-scores)[:k]
        return [{"text": texts[at], "score": float(scores[at])} for at in best]

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning", access_log=False
    )
