"""The table of training rows: a query, its positive, its candidates, and the teacher's scores."""

from pathlib import Path

import pyarrow as pa

PATH = Path("data/training.parquet")
SCHEMA = pa.schema(
    [
        pa.field("pair", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("trusted", pa.bool_(), nullable=False),  # as in the pairs
        pa.field("positive", pa.string(), nullable=False),  # chunk id
        # The teacher's score of the positive, in [0, 1].
        pa.field("score", pa.float32(), nullable=False),
        # Other chunks, those with the teacher's highest scores first.
        pa.field("candidates", pa.list_(pa.string()), nullable=False),
        # The teacher's score of each candidate.
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
        # Which candidates are likely relevant too, and so no negatives.
        pa.field("masked", pa.list_(pa.bool_()), nullable=False),
    ]
)
