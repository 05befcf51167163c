"""A release's passages and vectors, written for other stores such as Qdrant or pgvector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from argot.core.files import replacing_folder, write_json
from argot.search.retriever import Retriever
from argot.search.rights import Groups
from argot.tables.chunks import passage, passages_of

Format = Literal["parquet", "jsonl", "npy"]
Vectors = NDArray[np.float32]
BLOCK = 10_000


def export_passages(
    retriever: Retriever, folder: Path, format: Format, groups: Groups | None = None
) -> int:
    """Write `folder`: about.json, and passages.parquet or passages.jsonl; npy adds vectors.npy.

    about.json holds the embedder's fingerprint: only queries encoded by that model may search these
    vectors. Each passage has `embedded`, the text its vector was made from. Of a release
    with access rights, only what `groups` may see is written. Returns the number of passages.
    """
    table, vectors = retriever.chunks, retriever.vectors
    seen = retriever.seen(groups)
    if seen is not None:
        table, vectors = table.take(seen), vectors[seen]
    with replacing_folder(folder) as beside:
        if format == "parquet":
            columns = with_vectors(table, vectors, retriever.manifest.fingerprint)
            pq.write_table(columns, beside / "passages.parquet", compression="zstd")
        else:
            with (beside / "passages.jsonl").open("w", encoding="utf-8") as file:
                for row in passage_rows(table, vectors if format == "jsonl" else None):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if format == "npy":
            np.save(beside / "vectors.npy", vectors, allow_pickle=False)
        fields = ("fingerprint", "dimension", "metric", "prompts")
        about = {field: getattr(retriever.manifest, field) for field in fields}
        write_json(beside / "about.json", {**about, "passages": len(table)})
    return len(table)


def with_vectors(table: pa.Table, vectors: Vectors, fingerprint: str) -> pa.Table:
    """The passages with the columns `embedded` and `vector`, the fingerprint in the schema.

    `vectors`: (passages, dimension).
    """
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    wide = table.append_column("embedded", pa.array(passages_of(table)))
    wide = wide.append_column("vector", column)
    return wide.replace_schema_metadata({b"fingerprint": fingerprint.encode()})


def passage_rows(table: pa.Table, vectors: Vectors | None) -> Iterator[dict[str, Any]]:
    """Each passage as a JSON object, in the order of the index, with its vector if given."""
    place = 0
    for batch in table.to_batches(max_chunksize=BLOCK):
        for row in batch.to_pylist():
            row["metadata"] = json.loads(row["metadata"])
            row["embedded"] = passage(row["heading"], row["text"])
            if vectors is not None:
                row["vector"] = vectors[place].tolist()
            place += 1
            yield row
