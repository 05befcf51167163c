"""The table of documents: one row a document that could be read."""

from pathlib import Path

import pyarrow as pa

PATH = Path("data/documents.parquet")
SCHEMA = pa.schema(
    [
        # The id: the path below data/raw, with slashes.
        pa.field("document", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),  # Markdown
        pa.field("format", pa.string(), nullable=False),  # markdown, html, text, pdf, docx ...
        pa.field("language", pa.string(), nullable=False),  # ISO 639-1, such as en
        pa.field("sha256", pa.string(), nullable=False),  # of the file's bytes
        # Near-duplicates share a group: the smallest path among them.
        pa.field("group", pa.string(), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),  # front matter as a JSON object
        # Where each page starts in the text, by page number from 1; null without pages.
        pa.field("pages", pa.list_(pa.int64())),
    ]
)
