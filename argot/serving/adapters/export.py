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

from argot.core.files import BESIDE, replacing_folder, write_json
from argot.errors import InputError
from argot.search.retriever import Retriever
from argot.search.rights import Groups
from argot.tables.chunks import passage, passages_of

Format = Literal["parquet", "jsonl", "npy"]
Vectors = NDArray[np.float32]
BLOCK = 10_000
ABOUT = "about.json"
# All that an export may hold: a folder with anything else is not ours to replace.
WRITTEN = {ABOUT, "passages.parquet", "passages.jsonl", "vectors.npy"}


def export_passages(
    retriever: Retriever, folder: Path, format: Format, groups: Groups | None = None
) -> int:
    """Write `folder`: about.json, and passages.parquet or passages.jsonl; npy adds vectors.npy.

    about.json holds the embedder's fingerprint: only queries encoded by that model may search these
    vectors. Each passage has `embedded`, the text its vector was made from. Of a release with
    access rights, only what `groups` may see is written. Returns the number of passages. An earlier
    export is replaced; InputError where `folder` holds anything else.
    """
    folder = folder.absolute()
    check_target(folder)
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
        write_json(beside / ABOUT, {**about, "passages": len(table)})
    return len(table)


def check_target(folder: Path) -> None:
    """Raise InputError unless `folder` is new, empty or an earlier export."""
    if Path.cwd().is_relative_to(folder.resolve()):
        raise InputError(f"{folder} is the folder you are in, or above it; name a new folder")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is not a folder; name a new one")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if held and (ABOUT not in held or held - WRITTEN):
        other = min(held - WRITTEN, default=min(held))
        raise InputError(
            f"{folder} is not empty, and {other} in it is not of an export; name a new folder"
        )
    left = folder.with_name(folder.name + BESIDE)
    if left.exists():
        raise InputError(f"{left} is in the way, perhaps from an export that was killed; remove it")


def with_vectors(table: pa.Table, vectors: Vectors, fingerprint: str) -> pa.Table:
    """The passages with the columns `embedded` and `vector`, the fingerprint in the schema.

    `vectors` are (passages, dimension).
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
