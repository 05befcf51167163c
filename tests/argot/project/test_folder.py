"""`argot init` and `argot upgrade` on real repositories, with the real git and dvc."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from argot.core import installed
from argot.errors import InputError
from argot.project import template
from argot.project.folder import create, upgrade
from argot.project.template import FILES, LINES
from argot.serving.cli import app
from tests.support.workspaces import run
from tools.deps import ROOT, is_code, stages
from tools.workspace import PROGRAMS


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", "tmp"} & set(path.relative_to(folder).parts)
    }


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def notes(dry_run: bool = False) -> dict[str, list[str]]:
    return {change.name: change.notes for change in upgrade(Path(), dry_run)[0]}


def test_a_team_gets_the_pipeline_and_nothing_else_of_argots_repository(created: Path) -> None:
    made = {name.partition("/")[0] for name in files(created)}
    assert made == {
        ".argot", ".dvc", ".dvcignore", ".gitattributes", ".github", ".gitignore", "argot.lock",
        "data", "dvc.yaml", "numerics.lock", "params.yaml", "requirements-argot.txt", "stages",
    }  # fmt: skip
    assert {name for name in files(created) if name.startswith("data/")} == {
        "data/queries/README.md",
        "data/own-pairs/README.md",
    }
    for name in ("queries", "own-pairs"):
        assert "docs/" not in (created / "data" / name / "README.md").read_text(encoding="utf-8")
    assert "freight" not in (created / "params.yaml").read_text(encoding="utf-8")


def test_stages_depend_on_the_installed_code_in_place_of_the_librarys_files(created: Path) -> None:
    recorded = yaml.safe_load((created / "argot.lock").read_text(encoding="utf-8"))["code"]
    for name in ("dvc.yaml", "stages/refresh.yaml"):
        own = dict(stages(yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))))
        for stage, body in stages(yaml.safe_load((created / name).read_text(encoding="utf-8"))):
            assert body["deps"] == [
                dep for dep in own[stage]["deps"] if not dep.startswith("argot/")
            ]
            assert body["params"] == [
                *own[stage].get("params", []),
                {"argot.lock": [f"code.{stage}"]},
            ]
            code = [dep for dep in own[stage]["deps"] if is_code(dep) and dep.startswith("argot/")]
            assert recorded[stage] == installed.digest([ROOT / dep for dep in code])


def test_the_libraries_that_decide_numbers_are_those_that_are_installed(created: Path) -> None:
    pins = (created / "numerics.lock").read_text(encoding="utf-8").splitlines()
    assert len(pins) > 30
    assert all(
        version(pin.partition("==")[0]).partition("+")[0] == pin.partition("==")[2] for pin in pins
    )


@pytest.mark.parametrize(
    ("origin", "lines", "noted"),
    [
        ({}, ["argot-retrieval[pipeline,remote]==VERSION"], False),
        (
            {
                "url": "https://example.com/argot.git",
                "vcs_info": {"vcs": "git", "commit_id": "ab1"},
            },
            ["argot-retrieval[pipeline,remote] @ git+https://example.com/argot.git@ab1"],
            False,
        ),
        (
            {"url": "file:///home/ann/argot_retrieval-0.1.0-py3-none-any.whl", "archive_info": {}},
            ["--find-links wheels", "argot-retrieval[pipeline,remote]==VERSION"],
            True,
        ),
    ],
)
def test_colleagues_install_argot_from_where_it_came(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    origin: dict[str, object],
    lines: list[str],
    noted: bool,
) -> None:
    monkeypatch.setattr(template, "_origin", lambda: origin)
    notes = create(tmp_path / "team")
    text = (tmp_path / "team/requirements-argot.txt").read_text(encoding="utf-8")
    found = text.replace(version("argot-retrieval"), "VERSION").splitlines()
    assert [line for line in found if not line.startswith("#")] == ["-c numerics.lock", *lines]
    assert [note for note in notes if "put its wheel into wheels/" in note] == notes
    assert bool(notes) == noted


def test_the_workflows_of_a_project_are_valid_and_know_no_makefile(created: Path) -> None:
    workflows = sorted((created / ".github/workflows").iterdir())
    assert [path.name for path in workflows] == [
        f"argot-{name}.yml" for name in ("comment", "drift", "pipeline", "release", "repro")
    ]
    checked = subprocess.run(
        [Path(PROGRAMS) / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    for path in workflows:
        text = path.read_text(encoding="utf-8")
        assert (
            "run: make" not in text and "requirements.lock" not in text and "PYTHONPATH" not in text
        )
    assert all(path.stat().st_mode & 0o100 for path in (created / ".github/scripts").glob("*.sh"))


def test_the_wheel_is_given_the_files_that_init_copies() -> None:
    """And those that it reads."""
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]
    assert set(packed["package-data"]["argot.template"]) == {*FILES, *LINES, "numerics.lock"}


def test_an_existing_repository_keeps_its_files_and_lines(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "-q")
    (tmp_path / ".gitignore").write_text("*.log\n/cache/")
    (tmp_path / "README.md").write_text("# Ours\n")
    assert not any("git ignores" in note for note in create(tmp_path))
    ignored = (tmp_path / ".gitignore").read_text().splitlines()
    assert ignored[:2] == ["*.log", "/cache/"] and "/models/release" in ignored
    assert len(set(ignored)) == len(ignored)
    assert (tmp_path / "README.md").read_text() == "# Ours\n"


def test_nothing_is_written_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "-q")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/train.py").write_text("ours\n")
    (tmp_path / "data").write_text("a file where a folder is needed\n")
    before = files(tmp_path)
    with pytest.raises(
        InputError, match=r"in the way.*README\.md, data/queries/README\.md, stages/train"
    ):
        create(tmp_path)
    assert files(tmp_path) == before


def test_a_folder_outside_of_git_is_refused_unless_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("ours\n")
    with pytest.raises(InputError, match="run `git init` there first"):
        create(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "notes.txt"]


def test_a_folder_of_a_repository_is_a_project_of_its_own(tmp_path: Path) -> None:
    """DVC's root is that folder; GitHub would not see workflows in it."""
    run(tmp_path, "git", "init", "-q")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    create(tmp_path / "search")
    assert (tmp_path / "search/.dvc/config").is_file()
    assert not (tmp_path / "search/.github").exists() and not (tmp_path / ".dvc").exists()


def test_an_ignored_file_is_named_with_the_line_that_hides_it(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "-q")
    (tmp_path / ".gitignore").write_text("data/\n")
    found = create(tmp_path)
    assert any("data/raw.dvc (.gitignore:1:data/)" in note for note in found)
    assert all("data/" in note for note in found if "git ignores" in note)


def test_an_init_that_was_killed_is_finished(project: Path) -> None:
    (project / "argot.lock").unlink()
    (project / "stages/train.py").unlink()
    create(project)
    assert (project / "stages/train.py").read_bytes() == (ROOT / "stages/train.py").read_bytes()
    with pytest.raises(InputError, match="`argot upgrade` brings it up to date"):
        create(project)


@pytest.mark.usefixtures("project")
def test_the_same_argot_changes_nothing(project: Path) -> None:
    edit(project / "params.yaml", "epochs: 2", "epochs: 4")
    before = files(project)
    assert upgrade(Path(), dry_run=False) == ([], {})
    assert files(project) == before


def test_an_upgrade_replaces_merges_and_leaves_each_where_it_must(
    project: Path, newer: Path
) -> None:
    edit(newer / "stages/chunk.py", "from __future__", "import newer\nfrom __future__")
    edit(newer / "stages/train.py", "from __future__", "import newer\nfrom __future__")
    with (project / "stages/train.py").open("a") as ours:
        ours.write("# ours\n")
    edit(newer / "stages/mine.py", "from __future__", "import newer\nfrom __future__")
    edit(project / "stages/mine.py", "from __future__", "import ours\nfrom __future__")
    (newer / "stages/polish.py").write_text("new\n")
    (newer / "stages/fetch.py").unlink()
    (project / ".github/workflows/argot-drift.yml").unlink()
    edit(newer / ".github/workflows/drift.yml", "cron:", "cron: ")
    mine = (project / "stages/mine.py").read_bytes()
    dry, before = notes(dry_run=True), files(project)
    assert notes() == dry == {
        "stages/chunk.py": ["is Argot's new one"],
        "stages/fetch.py": ["goes"],
        "stages/mine.py.new": ["is Argot's; stages/mine.py is yours: put them together"],
        "stages/polish.py": ["is new"],
        "stages/train.py": ["is merged with your changes"],
    }  # fmt: skip
    after = files(project)
    changed = {name for name in before.keys() | after if before.get(name) != after.get(name)}
    assert {name for name in changed if not name.startswith(".argot/")} == dry.keys()
    assert b"import newer" in after["stages/train.py"] and after["stages/train.py"].endswith(
        b"# ours\n"
    )
    assert after["stages/mine.py"] == mine
    assert b"import newer" in after["stages/mine.py.new"]
    assert notes() == {}, "what was merged or compared once is not told again"


def test_params_keep_the_teams_values(project: Path, newer: Path) -> None:
    edit(project / "params.yaml", "epochs: 2", "epochs: 4")
    edit(newer / "params.yaml", "  epochs: 2\n", "  epochs: 2\n  # A knob.\n  knob: 7\n")
    assert notes() == {"params.yaml": ["train.knob is new: 7"]}
    assert "  epochs: 4\n  # A knob.\n  knob: 7\n" in (project / "params.yaml").read_text()


def test_files_that_can_not_be_read_stay_as_they_are(project: Path, newer: Path) -> None:
    (project / "params.yaml").write_text("train: [\n")
    edit(newer / "params.yaml", "epochs: 2", "epochs: 3")
    told = "is Argot's; params.yaml is yours: put them together"
    assert notes(dry_run=True) == {"params.yaml.new": [told]}
    (project / "dvc.yaml").write_text("stages: [\n")
    with pytest.raises(InputError, match="dvc.yaml or params.yaml can't be read"):
        upgrade(Path(), dry_run=False)
    assert (project / "params.yaml").read_text() == "train: [\n"
    assert (project / "dvc.yaml").read_text() == "stages: [\n"


def test_a_stage_refuses_other_code_than_the_project_records(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.check_installed()
    other = project.parent / "argot"
    shutil.copytree(ROOT / "argot/core", other / "core")
    monkeypatch.setattr(installed, "PACKAGE", other)
    with pytest.raises(InputError, match=r"but installed is .*; run `argot upgrade`"):
        installed.check_installed()


def test_the_command_says_what_changes_and_what_runs_again(
    project: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(newer / "params.yaml", "epochs: 2", "epochs: 3")
    edit(newer / "stages/mine.py", "from __future__", "import newer\nfrom __future__")
    told = CliRunner().invoke(app, ["upgrade", "--dry-run"]).output
    assert "(nothing is written)" in told
    assert "params.yaml: train.epochs is 3 now; it was 2" in told
    assert "  mine: stages/mine.py\n" in told and "  train: params train\n" in told
    assert "epochs: 2" in (project / "params.yaml").read_text()
    monkeypatch.chdir(project.parent)
    refused = CliRunner().invoke(app, ["upgrade"])
    assert isinstance(refused.exception, InputError) and "argot init" in str(refused.exception)
