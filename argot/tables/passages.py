"""The text of a chunk as it is embedded: its heading path, then its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def passage(heading: str, text: str) -> str:
    """Heading path and text on lines of their own; the same at training, indexing and search."""
    return f"{heading}\n{text}" if heading else text


def passages_of(table: pa.Table) -> list[str]:
    """The passage of each row of a table of chunks."""
    return list(map(passage, table["heading"].to_pylist(), table["text"].to_pylist()))
