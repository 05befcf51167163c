from pathlib import Path

import pytest

from argot.errors import InputError
from argot.llm.calls.records import Records


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"asked": [[1]]}', '{"asked": 3}'])
def test_a_damaged_record_of_a_paid_batch_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "batches").mkdir()
    (tmp_path / "batches/one.json").write_text(content)
    with pytest.raises(InputError, match=r"one\.json is damaged"):
        Records(tmp_path).all()
