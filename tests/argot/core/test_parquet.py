from pathlib import Path

import pyarrow as pa
import pytest

from argot.core.parquet import read_table, write_table
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
