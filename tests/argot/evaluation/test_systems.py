from pathlib import Path

import pytest

from argot.errors import InputError
from argot.evaluation.systems import read_systems


@pytest.mark.parametrize("content", [None, b"", b"{", b"3", b"[3]", b"[" * 100_000, b"\xff"])
def test_a_damaged_table_of_systems_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "systems.json"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="systems.json can't be read"):
        read_systems(path)
