"""The tables of real questions: one a split, and one of those that no document answers."""

from pathlib import Path

import pyarrow as pa

FOLDER = Path("data/questions")
UNANSWERED = "unanswered"
PATHS = {name: FOLDER / f"{name}.parquet" for name in ("train", "dev", "test", UNANSWERED)}
SCHEMA = pa.schema(
    [
        # The id: 16 hex digits, a hash of the query and its first line's judgments.
        pa.field("question", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # as marked in its line, else empty
        # Relevant documents, near-duplicates too; none of those that no document answers.
        pa.field("documents", pa.list_(pa.string()), nullable=False),
        pa.field("chunks", pa.list_(pa.string()), nullable=False),  # relevant chunks
        # The first relevant document's group, by which dev questions are spared.
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # the file it came from
    ]
)
