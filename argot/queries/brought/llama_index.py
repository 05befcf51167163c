"""LlamaIndex' EmbeddingQAFinetuneDataset, as its `save_json` writes it.

{"queries": {ID: text}, "corpus": {ID: text}, "relevant_docs": {ID: [ID]}, "mode": "text"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from argot.queries.brought.pair import BroughtPair
from argot.queries.refusals import Refusals, Refused


class QaDataset(BaseModel):
    """The file as a whole."""

    model_config = ConfigDict(strict=True)
    queries: dict[str, str]
    corpus: dict[str, str]
    relevant_docs: dict[str, list[str]]


def dataset_pairs(path: Path, refusals: Refusals) -> Iterator[BroughtPair]:
    """The pairs of a file; Refused where the file is of another form."""
    try:
        found = QaDataset.model_validate(json.loads(path.read_bytes().decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        message = f"no EmbeddingQAFinetuneDataset of LlamaIndex ({problem})"
        raise Refused("unknown form", message) from None
    for id, query in found.queries.items():
        place = f"{path}: query {id}"
        if not found.relevant_docs.get(id):
            refusals.add(place, Refused("no positive", "'relevant_docs' names no passage for it"))
        for node in found.relevant_docs.get(id, []):
            if node in found.corpus:
                yield BroughtPair(place, query, text=found.corpus[node])
            else:
                refusals.add(place, Refused("malformed", f"'corpus' holds no '{node}'"))
