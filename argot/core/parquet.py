"""Reading and writing a table, checked against its schema, and reading an array of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from argot.core.files import replacing
from argot.errors import InputError


def write_table(path: Path, rows: list[dict[str, Any]] | pa.Table, schema: pa.Schema) -> pa.Table:
    """Write rows as a Parquet file with exactly `schema`; the same rows give the same bytes."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows, schema=schema)
    _check(path, table.schema, schema)
    with replacing(path) as beside:
        pq.write_table(table, beside, compression="zstd")
    return table


def read_table(path: Path, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
    """Read a table or some columns; InputError if it is missing, damaged or of another schema.

    Last columns that may be null, and that an older version did not write yet, are null.
    """
    try:
        # `pq.read_table` reads data sets, for which it would import pandas.
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow
            new = [field for field in schema if field.nullable and field.name not in found.names]
            _check(path, pa.schema([*found, *new]), schema)
            table = file.read(columns)
            for field in new:
                if columns is None or field.name in columns:
                    table = table.append_column(field, pa.nulls(len(table), field.type))
        # Parquet has no checksum of its own: this finds texts that are no UTF-8.
        table.validate(full=True)
        return table
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing; run `dvc repro`, or `dvc pull` where it was made before"
        ) from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{path} is damaged ({reason}); remove it and run `dvc checkout` or `dvc repro`"
        ) from None


def rows_at(table: pa.Table, positions: NDArray[np.integer[Any]]) -> pa.Table:
    """The rows at some positions, (rows,); an array of numpy would make pyarrow import pandas."""
    numbers = pa.py_buffer(np.ascontiguousarray(positions, dtype=np.int64))
    return table.take(pa.Array.from_buffers(pa.int64(), len(positions), [None, numbers]))


def read_array(path: Path, kinds: Sequence[str], dimensions: int) -> NDArray[Any]:
    """Memory-map a .npy file; InputError if it is missing, damaged, or of another kind or shape.

    `kinds` are the names of the types that its numbers may have, such as float32.
    """
    try:
        values = np.lib.format.open_memmap(path, mode="r")
    # For a damaged head numpy raises errors of many kinds, a tokenizer's among them.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} can't be read ({reason}); run `dvc checkout` or `dvc repro`"
        ) from None
    if str(values.dtype) not in kinds or values.ndim != dimensions:
        raise InputError(
            f"{path} holds {values.dtype} of {values.ndim} dimensions, expected "
            f"{' or '.join(kinds)} of {dimensions}; run `dvc repro`"
        )
    return np.asarray(values)


def _check(path: Path, found: pa.Schema, expected: pa.Schema) -> None:
    if found.remove_metadata().equals(expected):
        return
    for field in expected:
        position = found.get_field_index(field.name)
        if position < 0:
            raise InputError(
                f"{path}: column '{field.name}' is missing; run `dvc repro` to make the table again"
            )
        if not found.field(position).equals(field):
            kind = found.field(position).type
            raise InputError(
                f"{path}: column '{field.name}' is {kind}, expected {field.type}; run `dvc repro`"
            )
    raise InputError(
        f"{path}: columns are {found.names}, expected {expected.names}; run `dvc repro`"
    )
