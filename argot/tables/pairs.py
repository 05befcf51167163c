"""The tables of pairs to train on and to choose by, one a split: train, dev and test."""

from pathlib import Path

import pyarrow as pa

FOLDER = Path("data/pairs")
PATHS = {split: FOLDER / f"{split}.parquet" for split in ("train", "dev", "test")}
SCHEMA = pa.schema(
    [
        pa.field("pair", pa.string(), nullable=False),  # id: 16 hex digits
        pa.field("query", pa.string(), nullable=False),
        pa.field("chunk", pa.string(), nullable=False),  # the positive passage
        # Such as heading, sentence, keywords, faq, bm25, real, own:click, llm:question.
        pa.field("source", pa.string(), nullable=False),
        # Was the query asked of, or written for, this passage by a person or a model?
        pa.field("trusted", pa.bool_(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        # The span in the document's Markdown that the query was made from.
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("provider", pa.string(), nullable=False),  # empty unless an LLM wrote the query
        pa.field("model", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),  # hash of the prompt
        pa.field("reply", pa.string(), nullable=False),  # key of the reply
    ]
)
