"""The table of training rows: a query, its positive, its hard negatives, and what the teacher thinks of them."""

from pathlib import Path

import pyarrow as pa

PATH = Path("data/training.parquet")
SCHEMA = pa.schema(
    [
        pa.field("pair", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("positive", pa.string(), nullable=False),  # chunk id
        pa.field("heading_hidden", pa.bool_(), nullable=False),
        pa.field("negatives", pa.list_(pa.string()), nullable=False),  # chunk ids, hardest first
        pa.field("candidates", pa.list_(pa.string()), nullable=False),  # chunks the teacher scored; the positive first
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # the teacher's, one a candidate, in [0, 1]
        pa.field("masked", pa.list_(pa.string()), nullable=False),  # likely false negatives: never contrasted
    ]
)
