"""A release's passages and vectors, written for other stores such as Qdrant or pgvector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from argot.core.files import BESIDE, replacing_folder, write_json
from argot.encoding.store.vectors import save_array
from argot.errors import InputError
from argot.ranking.hits import Rows
from argot.ranking.tokens import ByToken, TokenIndex
from argot.search.retriever import Retriever
from argot.search.rights import Groups
from argot.tables.chunks import passage, passages_of

Format = Literal["parquet", "jsonl", "npy"]
Vectors = NDArray[np.float32]
# So many passages are written at a time: their token vectors may take 100 MB.
BLOCK = 1_000
ABOUT, RARITY = "about.json", "rarity.npy"
# What an export of passages may hold beside about.json.
WRITTEN = {RARITY, "passages.parquet", "passages.jsonl", "vectors.npy"}


def export_passages(
    retriever: Retriever, folder: Path, format: Format, groups: Groups | None = None
) -> int:
    """Write `folder`: about.json, and passages.parquet or passages.jsonl; npy adds vectors.npy.

    about.json holds the embedder's fingerprint: only queries encoded by that model may search these
    vectors. Each passage has `embedded`, the text its vector was made from. Where the release is
    searched by tokens, passages.parquet has `tokens` too, and rarity.npy holds the weight of each
    token of a query by its id, last that of a token that no passage holds. Of a release with access
    rights, only what `groups` may see is written. Returns the number of passages. An earlier export
    is replaced; InputError where `folder` holds anything else.
    """
    folder = folder.absolute()
    check_target(folder, WRITTEN)
    table, vectors = retriever.chunks, retriever.vectors
    seen = retriever.seen(groups)
    if seen is not None:
        table, vectors = table.take(seen), vectors[seen]
    with replacing_folder(folder) as beside:
        if format == "parquet":
            tokens = token_vectors(retriever, seen)
            model = retriever.manifest.fingerprint
            write_parquet(beside / "passages.parquet", table, vectors, tokens, model)
            if tokens:
                save_array(beside / RARITY, tokens.index.rarity)
        else:
            with (beside / "passages.jsonl").open("w", encoding="utf-8") as file:
                for row in passage_rows(table, vectors if format == "jsonl" else None):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        if format == "npy":
            save_array(beside / "vectors.npy", vectors)
        fields = ("fingerprint", "dimension", "metric", "prompts")
        about = {field: getattr(retriever.manifest, field) for field in fields}
        write_json(beside / ABOUT, {**about, "passages": len(table)})
    return len(table)


def check_target(folder: Path, written: set[str]) -> None:
    """Raise InputError unless `folder` is new, empty or an earlier export.

    An export holds about.json and at most what is `written`: anything else is not ours to replace.
    """
    if Path.cwd().is_relative_to(folder.resolve()):
        raise InputError(f"{folder} is the folder you are in, or above it; name a new folder")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is not a folder; name a new one")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = held - written - {ABOUT}
    if held and (ABOUT not in held or others):
        other = min(others, default=min(held))
        raise InputError(
            f"{folder} is not empty, and {other} in it is not of an export; name a new folder"
        )
    left = folder.with_name(folder.name + BESIDE)
    if left.exists():
        raise InputError(f"{left} is in the way, perhaps from an export that was killed; remove it")


@dataclass(frozen=True)
class TokenVectors:
    """The token vectors of the passages at some rows of an index."""

    index: TokenIndex
    rows: Rows

    def column(self, part: slice) -> pa.Array:
        """A list of vectors for each of some of the passages."""
        vectors, ends = self.index.vectors(self.rows[part])
        return pa.ListArray.from_arrays(np.append(0, ends).astype(np.int32), lists(vectors))


def token_vectors(retriever: Retriever, seen: Rows | None) -> TokenVectors | None:
    """Those of what is seen, with the rarity of tokens there; None where there are no tokens."""
    if ByToken.name not in retriever.manifest.rankers:
        return None
    if seen is None:
        return TokenVectors(retriever.tokens, np.arange(len(retriever.tokens)))
    return TokenVectors(retriever.tokens.among(seen), seen)


def write_parquet(
    path: Path, table: pa.Table, vectors: Vectors, tokens: TokenVectors | None, model: str
) -> None:
    """The passages with the columns `embedded`, `vector` and, where there are any, `tokens`.

    `vectors` are (passages, dimension). `model` is the fingerprint that the schema holds.
    """

    def block(part: slice) -> pa.Table:
        rows = table.slice(part.start, part.stop - part.start)
        wide = rows.append_column("embedded", pa.array(passages_of(rows), pa.string()))
        wide = wide.append_column("vector", lists(vectors[part]))
        if tokens:
            wide = wide.append_column("tokens", tokens.column(part))
        return wide.replace_schema_metadata({b"fingerprint": model.encode()})

    with pq.ParquetWriter(path, block(slice(0, 0)).schema, compression="zstd") as writer:
        for start in range(0, len(table), BLOCK):
            writer.write_table(block(slice(start, start + BLOCK)))


def lists(vectors: Vectors) -> pa.FixedSizeListArray:
    """Each vector as a list, (vectors, dimension)."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


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
