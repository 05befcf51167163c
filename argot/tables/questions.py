"""The tables of real questions, one a split: train, dev and test."""

from pathlib import Path

import pyarrow as pa

FOLDER = Path("data/questions")
PATHS = {split: FOLDER / f"{split}.parquet" for split in ("train", "dev", "test")}
SCHEMA = pa.schema(
    [
        # The id: 16 hex digits, a hash of query and judgments.
        pa.field("question", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # as marked in its line, else empty
        # Relevant documents, near-duplicates too.
        pa.field("documents", pa.list_(pa.string()), nullable=False),
        pa.field("chunks", pa.list_(pa.string()), nullable=False),  # relevant chunks
        # The first relevant document's group, by which dev questions are spared.
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # the file it came from
    ]
)
