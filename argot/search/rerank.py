"""A second look at the best passages: a cross-encoder reads question and passage together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from argot.errors import ModelError

# The number of passages that the cross-encoder reads for each question.
DEPTH = 50


class Reranker:
    """A cross-encoder in a folder of its own: safetensors, no code."""

    def __init__(self, folder: str | Path, device: str = "auto") -> None:
        folder = Path(folder)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            kinds = config.get("architectures", [])
        except (OSError, ValueError):
            raise ModelError(
                f"{folder} holds no cross-encoder: its config.json can't be read"
            ) from None
        if not any(kind.endswith("ForSequenceClassification") for kind in kinds):
            raise ModelError(
                f"{folder} is no cross-encoder: expected ...ForSequenceClassification, got {kinds}"
            )
        # Imported here, because it takes seconds and most searches do without a cross-encoder.
        from sentence_transformers import CrossEncoder

        self._model = CrossEncoder(
            str(folder),
            device=None if device == "auto" else device,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """How well each passage answers the question; higher is better."""
        if not passages:
            return []
        pairs = [(query, passage) for passage in passages]
        scores = self._model.predict(pairs, show_progress_bar=False)
        # A model with one label gives (passages,) or (passages, 1).
        values = np.asarray(scores, dtype=np.float32).reshape(len(passages))
        return [float(value) for value in values]
