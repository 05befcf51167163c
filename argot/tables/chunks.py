"""The table of chunks: one row a passage, in the order of documents and positions."""

from pathlib import Path

import pyarrow as pa

PATH = Path("data/chunks.parquet")
SCHEMA = pa.schema(
    [
        pa.field(
            "chunk", pa.string(), nullable=False
        ),  # id: 16 hex digits, a hash of document, heading, text
        pa.field("document", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),  # the document's near-duplicate group
        pa.field("position", pa.int32(), nullable=False),  # 0, 1, 2 ... within the document
        pa.field("title", pa.string(), nullable=False),  # of the document
        pa.field(
            "heading", pa.string(), nullable=False
        ),  # heading path, "Returns > Damaged goods"; may be empty
        pa.field("text", pa.string(), nullable=False),
        pa.field(
            "start", pa.int64(), nullable=False
        ),  # span in the document's Markdown, in characters
        pa.field("end", pa.int64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),  # the document's, as a JSON object
    ]
)
