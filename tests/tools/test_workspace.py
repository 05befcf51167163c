"""A workspace laid out again: what a person made in it stays, what the source changed comes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from argot.errors import InputError
from tools.workspace import RECORD, lay_out


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in ("raw/a.md", "raw/deep/b.md", "queries/questions.jsonl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"first {name}\n")
    return folder


def again(source: Path, **params: object) -> Path:
    place = source.parent / "workspace"
    changed = {key.replace("__", "."): value for key, value in params.items()}
    return lay_out(place, source / "raw", source / "queries", changed, source.parent / "cache")


def param(workspace: Path, section: str, key: str) -> object:
    return yaml.safe_load((workspace / "params.yaml").read_text())[section][key]


def test_judgments_and_edited_params_stay(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = again(source, chunk__max_words=90)
    labelled = workspace / "data/queries/labelled.jsonl"
    labelled.write_text("a judgment\n")
    (workspace / "data/queries/questions.jsonl").write_text("edited\n")
    (workspace / "data/raw/mine.md").write_text("mine\n")
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("max_words: 90", "max_words: 70"))
    again(source, chunk__min_words=3)
    assert labelled.read_text() == "a judgment\n"
    assert (workspace / "data/queries/questions.jsonl").read_text() == "edited\n"
    assert (workspace / "data/raw/mine.md").read_text() == "mine\n"
    assert param(workspace, "chunk", "max_words") == 70
    assert param(workspace, "chunk", "min_words") == 3
    told = capsys.readouterr().err
    assert "params.yaml" in told and "questions.jsonl" in told


def test_what_changed_in_the_source_comes(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = again(source, chunk__max_words=90)
    (source / "raw/a.md").write_text("second\n")
    (source / "raw/deep/b.md").unlink()
    (source / "raw/c.md").write_text("new\n")
    again(source)
    assert (workspace / "data/raw/a.md").read_text() == "second\n"
    assert (workspace / "data/raw/c.md").read_text() == "new\n"
    assert not (workspace / "data/raw/deep/b.md").exists()
    assert param(workspace, "chunk", "max_words") != 90
    assert capsys.readouterr().err == ""


def test_a_layout_that_was_killed_is_finished(source: Path) -> None:
    workspace = again(source)
    (workspace / "data/raw/a.md").unlink()
    again(source)
    assert (workspace / "data/raw/a.md").exists()


def test_a_folder_that_is_no_workspace_is_refused_and_stays(source: Path) -> None:
    place = source.parent / "workspace"
    (place / "argot").mkdir(parents=True)
    (place / "argot/mine.py").write_text("mine")
    with pytest.raises(InputError, match="not empty and no workspace"):
        again(source)
    assert [path.name for path in place.rglob("*")] == ["argot", "mine.py"]


def test_a_damaged_record_is_told(source: Path) -> None:
    workspace = again(source)
    (workspace / RECORD).write_text("{")
    with pytest.raises(InputError, match="laid_out.json is damaged"):
        again(source)


def test_documents_that_are_not_there_are_told(source: Path) -> None:
    with pytest.raises(InputError, match="nowhere is missing"):
        lay_out(source / "w", source / "nowhere", source / "queries", {})


def test_comments_in_params_stay(source: Path) -> None:
    params = again(source) / "params.yaml"
    edited = params.read_text().replace("max_words: 128", "max_words: 70  # my own reason")
    params.write_text(edited)
    again(source)
    assert params.read_text() == edited


def test_a_damaged_record_of_a_workspace_is_told(source: Path) -> None:
    workspace = again(source)
    for content in ("", "3", "[1]", '{"a"'):
        (workspace / RECORD).write_text(content)
        with pytest.raises(InputError, match="is damaged"):
            again(source)


def test_the_report_is_headed_as_the_folder_and_not_as_the_sample(source: Path) -> None:
    assert param(again(source), "report", "name") == source.name
    assert param(again(source, report__name="Ours"), "report", "name") == "Ours"
