import json
from pathlib import Path

import pytest

from argot.core.files import replacing, replacing_folder, sha256, write_json


def test_a_file_appears_whole(tmp_path: Path) -> None:
    with replacing(tmp_path / "deep" / "file") as beside:
        beside.write_text("whole")
    assert (tmp_path / "deep" / "file").read_text() == "whole"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for name in ("old", "new"):
        with replacing_folder(folder) as beside:
            (beside / name).write_text(name)
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_what_a_killed_run_left_beside_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "file.beside").mkdir()
    (tmp_path / "file.beside" / "rest").write_text("of a killed run")
    with replacing(tmp_path / "file") as beside:
        beside.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_json_is_sorted_and_finite(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["b"] == 1


def test_sha256_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert (
        sha256(tmp_path / "file")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
