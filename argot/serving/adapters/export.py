"""A release's passages and vectors for other stores: Qdrant, pgvector and their kin."""

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


def export(retriever: Retriever, folder: Path, format: Format) -> int:
    """Write `folder`: passages.parquet, passages.jsonl, or vectors.npy beside passages.jsonl; and about.json.

    about.json holds the embedder's fingerprint: only vectors of that model may be searched with these. Each
    passage has `embedded`, the text its vector was made from. Returns the number of passages.
    """
    with replacing_folder(folder) as beside:
        if format == "parquet":
            table, vectors = retriever.chunks, retriever.vectors
            flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
            column = pa.FixedSizeListArray.from_arrays(flat, retriever.manifest.dimension)
            about = {b"fingerprint": retriever.manifest.fingerprint.encode()}
            texts = passages_of(table)
            table = table.append_column("embedded", pa.array(texts)).append_column("vector", column)
            pq.write_table(
                table.replace_schema_metadata(about),
                beside / "passages.parquet",
                compression="zstd",
            )
        else:
            with (beside / "passages.jsonl").open("w", encoding="utf-8") as file:
                for row in rows(retriever, with_vectors=format == "jsonl"):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if format == "npy":
            np.save(beside / "vectors.npy", retriever.vectors, allow_pickle=False)
        fields = ("fingerprint", "dimension", "metric", "prompts", "passages")
        write_json(
            beside / "about.json", {field: getattr(retriever.manifest, field) for field in fields}
        )
    return retriever.manifest.passages


def rows(retriever: Retriever, with_vectors: bool) -> Iterator[dict[str, Any]]:
    """Each passage as a JSON object, in the order of the index."""
    place = 0
    for batch in retriever.chunks.to_batches(max_chunksize=BLOCK):
        for row in batch.to_pylist():
            row["metadata"] = json.loads(row["metadata"])
            row["embedded"] = passage(row["heading"], row["text"])
            if with_vectors:
                row["vector"] = retriever.vectors[place].tolist()
            place += 1
            yield row
