from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from argot.core.parquet import read_array, read_table, write_table
from argot.errors import InputError

SCHEMA = pa.schema(
    [pa.field("chunk", pa.string(), nullable=False), pa.field("words", pa.int32(), nullable=False)]
)
ROWS = [{"chunk": "a", "words": 3}, {"chunk": "b", "words": 5}]


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_table(tmp_path / "table.parquet", ROWS, SCHEMA)
    assert read_table(tmp_path / "table.parquet", SCHEMA).to_pylist() == ROWS
    assert read_table(tmp_path / "table.parquet", SCHEMA, ["words"]).column_names == ["words"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_table(tmp_path / name, ROWS, SCHEMA)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_missing_table_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing; run `dvc repro`"):
        read_table(tmp_path / "table.parquet", SCHEMA)


def test_a_truncated_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, ROWS, SCHEMA)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="table.parquet is damaged") as error:
        read_table(path, SCHEMA)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (pa.schema([SCHEMA.field("chunk")]), "column 'words' is missing"),
        (
            pa.schema([SCHEMA.field("chunk"), pa.field("words", pa.int64(), nullable=False)]),
            "'words' is int64",
        ),
    ],
)
def test_another_schema_is_refused(tmp_path: Path, other: pa.Schema, told: str) -> None:
    path = tmp_path / "table.parquet"
    rows = [{name: row[name] for name in other.names} for row in ROWS]
    write_table(path, rows, other)
    with pytest.raises(InputError, match=told):
        read_table(path, SCHEMA)


def test_text_that_is_no_utf_8_is_a_damaged_table(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, [{"chunk": "abcdefgh", "words": 1}], SCHEMA)
    pq.write_table(pq.read_table(path), path, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcd\xff\xfegh"))
    with pytest.raises(InputError, match="table.parquet is damaged"):
        read_table(path, SCHEMA)


def head(shape: str) -> bytes:
    """A .npy file with two numbers, whose head names a shape."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (117 - len(text)) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(8)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"PK\x03\x04", b"\x80\x04N.", head("(2,)")[:40], head("(2,)")[:-1]),
        *map(head, ("(True,)", "(-1,)", "(1 << 70,)", f"({2**40},)", f"({2**70},)", "((((", "2")),
    ],
)
def test_a_damaged_array_is_told_before_memory_is_taken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "array.npy"
    path.write_bytes(head("(2,)"))
    assert read_array(path, ["float32"], 1).tolist() == [0, 0]
    path.write_bytes(content)
    with pytest.raises(InputError, match="array.npy") as error:
        read_array(path, ["float32"], 1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("values", [np.zeros(2, np.float64), np.zeros((1, 2), np.float32)])
def test_an_array_of_another_kind_or_shape_is_refused(tmp_path: Path, values: object) -> None:
    np.save(tmp_path / "array.npy", values)
    with pytest.raises(InputError, match="expected float32 of 1"):
        read_array(tmp_path / "array.npy", ["float32"], 1)
