"""Metadata beside documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from argot.documents.formats.sidecar import check_sidecars, folder_metadata, own_metadata
from argot.errors import InputError


def test_the_nearer_folder_wins(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "_meta.yaml").write_text("team: port\nyear: 2025\n")
    (tmp_path / "a/_meta.yaml").write_text("year: 2026\nfrom: 2026-03-01\n")
    assert folder_metadata(tmp_path, tmp_path / "a/b/c.md") == {
        "team": "port",
        "year": 2026,
        "from": "2026-03-01",
    }
    assert folder_metadata(tmp_path, tmp_path / "c.md") == {"team": "port", "year": 2025}


def test_a_file_of_an_archive_has_the_archives_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    (tmp_path / "a.zip.meta.yaml").write_text("team: claims\n")
    assert own_metadata(tmp_path, tmp_path / "a.zip/b/c.md") == {"team": "claims"}
    assert folder_metadata(tmp_path, tmp_path / "a.zip/b/c.md") == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "expected the node content"),
        ("- a", "it holds no `key: value` lines"),
        ("\xff: \x00", "special characters"),
    ],
)
def test_a_sidecar_that_is_no_metadata_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.md").touch()
    (tmp_path / "a.md.meta.yaml").write_text(text)
    with pytest.raises(InputError, match=r"a\.md\.meta\.yaml: ") as error:
        own_metadata(tmp_path, tmp_path / "a.md")
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_a_sidecar_without_its_document_is_an_error(tmp_path: Path) -> None:
    found: list[Any] = [tmp_path / "a.md"]
    (tmp_path / "a.md.meta.yaml").touch()
    (tmp_path / "_meta.yaml").touch()
    check_sidecars(tmp_path, found)
    (tmp_path / "aa.md.meta.yaml").touch()
    with pytest.raises(InputError, match="there is no document aa.md beside it"):
        check_sidecars(tmp_path, found)
