"""The scripts of the workflows that talk to GitHub, with its command `gh` replaced by one that writes down what it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.workspaces import commit, run
from tools.tiny.project import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("pipeline"),
    pytest.mark.usefixtures("warm_start"),
]

SCRIPTS = Path(__file__).parents[2] / ".github/scripts"
GH = """#!/usr/bin/env bash
echo "$*" >> "$GH_ASKED"
if [ "$1 $2" = "pr view" ]; then echo "$HEAD_NOW"; fi
"""
SHA = "a" * 40
PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """The environment of a workflow's step."""
    tool = tmp_path / "bin" / "gh"
    tool.parent.mkdir()
    tool.write_text(GH)
    tool.chmod(0o755)
    asked = {"GH_ASKED": str(tmp_path / "asked"), "HEAD_SHA": SHA, "HEAD_NOW": SHA}
    return {**environment(), **asked, "PATH": f"{tool.parent}{os.pathsep}{environment()['PATH']}"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone with an origin to push to, and a comment that `pipeline` wrote."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    run(origin, "git", "init", "-q", "--bare", "-b", "main")
    run(tmp_path, "git", "clone", "-q", str(origin), str(clone))
    (clone / "README.md").write_text("a project\n")
    commit(clone)
    run(clone, "git", "push", "-q", "origin", "HEAD:main")
    (clone / "comment/pictures").mkdir(parents=True)
    (clone / "comment/number").write_text("7\n")
    (clone / "comment/body.md").write_text("### Verdict: base\n")
    (clone / "comment/pictures/systems.png").write_bytes(PNG)
    (clone / "comment/pictures/evil.png").symlink_to("/etc/passwd")
    return clone


def post(repository: Path, github: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPTS / "post.sh"), "comment"]
    return subprocess.run(
        command, cwd=repository, env=github, capture_output=True, text=True, check=False
    )


def test_a_comment_is_edited_in_place_and_its_pictures_are_pushed(
    repository: Path, github: dict[str, str]
) -> None:
    for _ in range(2):
        result = post(repository, github)
        assert result.returncode == 0, result.stderr
    asked = Path(github["GH_ASKED"]).read_text().splitlines()
    assert asked.count("pr comment 7 --edit-last --create-if-none --body-file comment/body.md") == 2
    files = run(repository, "git", "ls-tree", "-r", "--name-only", "origin/argot-pictures").split()
    assert files == ["7/systems.png"], "a link, and what is no picture, stays out"


@pytest.mark.parametrize("number", ["7; rm -rf /", "", "../7"])
def test_a_number_that_is_none_is_refused(
    repository: Path, github: dict[str, str], number: str
) -> None:
    (repository / "comment/number").write_text(number)
    assert post(repository, github).returncode == 1
    assert not Path(github["GH_ASKED"]).exists()


def test_a_comment_for_a_commit_that_was_overtaken_is_refused(
    repository: Path, github: dict[str, str]
) -> None:
    assert post(repository, {**github, "HEAD_NOW": "b" * 40}).returncode == 1
    assert "pr comment" not in Path(github["GH_ASKED"]).read_text()


def test_a_tag_publishes_the_release_it_names(workspace: Path, github: dict[str, str]) -> None:
    run(workspace, "dvc", "remote", "add", "-d", "shared", str(workspace.parent / "shared"))
    run(workspace, "dvc", "push")
    commit(workspace)
    run(workspace, "git", "config", "user.name", "test")
    run(workspace, "git", "config", "user.email", "test@localhost")
    run(workspace, "gto", "register", "retriever", "--version", "v1.0.0")
    command = [str(SCRIPTS / "release.sh"), "retriever@v1.0.0"]
    result = subprocess.run(
        command, cwd=workspace, env=github, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert (
        "release create retriever@v1.0.0 retriever-v1.0.0.tar.gz"
        in Path(github["GH_ASKED"]).read_text()
    )
    with tarfile.open(workspace / "retriever-v1.0.0.tar.gz") as archive:
        assert "release/manifest.json" in archive.getnames()


def test_the_comment_tells_verdict_metrics_params_and_plots(
    workspace: Path, tmp_path: Path
) -> None:
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("min_questions: 100", "min_questions: 5"))
    run(workspace, "dvc", "repro")
    commit(workspace)
    address = "https://example.org/pictures"
    told = run(
        workspace,
        sys.executable,
        str(SCRIPTS / "comment.py"),
        "HEAD~1",
        str(tmp_path / "pictures"),
        address,
    )
    assert told.startswith("<!-- argot: report -->") and "### Verdict:" in told
    assert "release.min_questions" in told
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert pictures and all(picture.read_bytes().startswith(PNG[:8]) for picture in pictures)
    assert all(f"]({address}/{picture.name})" in told for picture in pictures)
