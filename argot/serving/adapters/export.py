"""A release's passages and vectors, written for other stores such as Qdrant or pgvector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from argot.core.files import replacing_folder, write_json
from argot.search.retriever import Retriever
from argot.tables.chunks import passage, passages_of

Format = Literal["parquet", "jsonl", "npy"]
BLOCK = 10_000


def export_passages(retriever: Retriever, folder: Path, format: Format) -> int:
    """Write `folder`: about.json, and passages.parquet or passages.jsonl; npy adds vectors.npy.

    about.json holds the embedder's fingerprint: only queries encoded by that model may search these
    vectors. Each passage has `embedded`, the text its vector was made from. Returns the number of
    passages.
    """
    with replacing_folder(folder) as beside:
        if format == "parquet":
            pq.write_table(with_vectors(retriever), beside / "passages.parquet", compression="zstd")
        else:
            with (beside / "passages.jsonl").open("w", encoding="utf-8") as file:
                for row in passage_rows(retriever, vectors=format == "jsonl"):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if format == "npy":
            np.save(beside / "vectors.npy", retriever.vectors, allow_pickle=False)
        fields = ("fingerprint", "dimension", "metric", "prompts", "passages")
        about = {field: getattr(retriever.manifest, field) for field in fields}
        write_json(beside / "about.json", about)
    return retriever.manifest.passages


def with_vectors(retriever: Retriever) -> pa.Table:
    """The passages with the columns `embedded` and `vector`, the fingerprint in the schema."""
    flat = pa.array(np.ascontiguousarray(retriever.vectors).reshape(-1))
    vectors = pa.FixedSizeListArray.from_arrays(flat, retriever.manifest.dimension)
    table = retriever.chunks.append_column("embedded", pa.array(passages_of(retriever.chunks)))
    table = table.append_column("vector", vectors)
    return table.replace_schema_metadata({b"fingerprint": retriever.manifest.fingerprint.encode()})


def passage_rows(retriever: Retriever, vectors: bool) -> Iterator[dict[str, Any]]:
    """Each passage as a JSON object, in the order of the index."""
    place = 0
    for batch in retriever.chunks.to_batches(max_chunksize=BLOCK):
        for row in batch.to_pylist():
            row["metadata"] = json.loads(row["metadata"])
            row["embedded"] = passage(row["heading"], row["text"])
            if vectors:
                row["vector"] = retriever.vectors[place].tolist()
            place += 1
            yield row
