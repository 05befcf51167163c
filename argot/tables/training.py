"""The table of training rows: a query, its positive, and what the teacher thinks of the passages around it."""

from pathlib import Path

import pyarrow as pa

PATH = Path("data/training.parquet")
SCHEMA = pa.schema(
    [
        pa.field("pair", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("positive", pa.string(), nullable=False),  # chunk id
        pa.field(
            "score", pa.float32(), nullable=False
        ),  # the teacher's, of the positive, in [0, 1]
        pa.field(
            "candidates", pa.list_(pa.string()), nullable=False
        ),  # other chunks, best for the teacher first
        pa.field(
            "scores", pa.list_(pa.float32()), nullable=False
        ),  # the teacher's, one a candidate
        pa.field(
            "masked", pa.list_(pa.bool_()), nullable=False
        ),  # one a candidate: likely relevant, never contrasted
    ]
)
