"""Files of rows: JSON lines, CSV, TSV and Parquet, each row with its place."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from argot.queries.refusals import Refusals, Refused

M = TypeVar("M", bound="RowForm")


class RowForm(BaseModel):
    """The base of the forms that a row can have: strict, closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Row(NamedTuple):
    """A row by the names of its columns, and its file and line."""

    place: str
    values: dict[str, Any]


def read_rows(path: Path, refusals: Refusals) -> Iterator[Row]:
    """The rows of a file, by its ending; what can't be read is refused by line."""
    try:
        yield from READERS[path.suffix](path, refusals)
    except UnicodeDecodeError:
        refusals.add(str(path), Refused("malformed", "not UTF-8; save the file as UTF-8"))
    except (csv.Error, pa.ArrowException, OSError) as error:
        refusals.add(str(path), Refused("malformed", f"can't be read to its end ({error})"))


def json_lines(path: Path, refusals: Refusals) -> Iterator[Row]:
    """One JSON object a line."""
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        place = f"{path}:{number}"
        if not raw.strip(b"\xef\xbb\xbf \t"):
            continue
        try:
            values = json.loads(raw.decode("utf-8-sig"))
            if not isinstance(values, dict):
                raise ValueError(f"expected an object, got {type(values).__name__}")
            yield Row(place, values)
        except (ValueError, RecursionError) as error:
            message = f"not a JSON object on one line ({error})"
            refusals.add(place, Refused("malformed", message))


def csv_rows(path: Path, refusals: Refusals) -> Iterator[Row]:
    """Rows under a header; empty cells are left out."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        reader = csv.DictReader(file, restkey="", delimiter=delimiter)
        for values in reader:
            place = f"{path}:{reader.line_num}"
            if "" in values:
                refusals.add(place, Refused("malformed", "more cells than the header has names"))
                continue
            yield Row(place, {name: cell for name, cell in values.items() if cell})


def parquet_rows(path: Path, refusals: Refusals) -> Iterator[Row]:
    """Rows of a Parquet file, counted from 1; empty cells are left out."""
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for values in batch.to_pylist():
                number += 1
                filled = {name: cell for name, cell in values.items() if cell is not None}
                yield Row(f"{path}:{number}", filled)


def checked(form: type[M], row: Row) -> M:
    """The row as `form`; Refused names the key that is wrong, and what was expected."""
    try:
        return form.model_validate(row.values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the row"
        known = ", ".join(form.model_fields)
        raise Refused("malformed", f"{key}: {first['msg']}; known keys: {known}") from None


READERS: dict[str, Callable[[Path, Refusals], Iterator[Row]]] = {
    ".jsonl": json_lines,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".parquet": parquet_rows,
}
