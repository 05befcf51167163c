"""Sharing: what one pushes another pulls, verifies and searches, through S3 by rclone, SSH by OpenSSH, and a folder."""

from __future__ import annotations

import getpass
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workspaces import clone, commit, run
from tools.tiny.project import dvc, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("pipeline"),
    pytest.mark.usefixtures("warm_start"),
]

BIN = Path(sys.executable).parent
KEYS = {
    "AWS_ACCESS_KEY_ID": "argot",
    "AWS_SECRET_ACCESS_KEY": "argot-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """An S3 server, and the dvc commands that make it the default remote."""
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    port = free_port()
    keys = f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"
    command = [
        BIN / "rclone",
        "serve",
        "s3",
        "--auth-key",
        keys,
        "--addr",
        f"127.0.0.1:{port}",
        tmp_path / "s3",
    ]
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        wait_for(port)
        yield [
            ["remote", "add", "-d", "shared", "s3://bucket/argot"],
            ["remote", "modify", "shared", "endpointurl", f"http://127.0.0.1:{port}"],
        ]
        server.terminate()


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[list[list[str]]]:
    """An SSH server of our own, and the dvc commands that make it the default remote."""
    home = tmp_path / "ssh"
    home.mkdir(mode=0o700)
    for name in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name], check=True
        )
    shutil.copy(home / "client.pub", home / "authorized")
    port = free_port()
    Path("/run/sshd").mkdir(exist_ok=True)
    options = [
        f"HostKey={home}/host",
        f"AuthorizedKeysFile={home}/authorized",
        "StrictModes=no",
        "UsePAM=no",
    ]
    command = [
        shutil.which("sshd") or "/usr/sbin/sshd",
        "-D",
        "-f",
        "/dev/null",
        "-p",
        str(port),
        "-E",
        home / "log",
    ]
    arguments = [argument for option in options for argument in ("-o", option)]
    sftp = ["-o", "Subsystem=sftp internal-sftp", "-o", "ListenAddress=127.0.0.1"]
    with subprocess.Popen([*command, *arguments, *sftp]) as server:
        wait_for(port)
        yield [
            [
                "remote",
                "add",
                "-d",
                "shared",
                f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}/remote",
            ],
            ["remote", "modify", "--local", "shared", "keyfile", str(home / "client")],
            ["remote", "modify", "--local", "shared", "allow_agent", "false"],
        ]
        server.terminate()


@pytest.fixture
def folder(tmp_path: Path) -> list[list[str]]:
    """The dvc command that makes a folder the default remote."""
    return [["remote", "add", "-d", "shared", str(tmp_path / "shared")]]


def pushed(workspace: Path, remote: list[list[str]]) -> None:
    for command in remote:
        run(workspace, "dvc", *command)
    run(workspace, "dvc", "push", "--run-cache")
    commit(workspace)


@pytest.mark.parametrize("kind", ["s3", "ssh"])
def test_a_release_pulled_elsewhere_verifies_and_answers(
    kind: str, workspace: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pushed(workspace, request.getfixturevalue(kind))
    elsewhere = clone(workspace, tmp_path / "elsewhere")
    run(elsewhere, "dvc", "pull", "models/release")
    assert not (elsewhere / "data/chunks.parquet").exists(), "a release is enough by itself"
    run(elsewhere, "argot", "verify")
    found = run(elsewhere, "argot", "search", "worn windlass", "--mode", "bm25", "--json")
    assert json.loads(found.splitlines()[0])["document"] == "anchors.md"


def test_a_fresh_runner_runs_only_what_changed(
    workspace: Path, tmp_path: Path, folder: list[list[str]]
) -> None:
    pushed(workspace, folder)
    runner = clone(workspace, tmp_path / "runner")
    params = runner / "params.yaml"
    params.write_text(params.read_text().replace("min_questions: 100", "min_questions: 500"))
    told = run(runner, "dvc", "repro", "--pull", "--allow-missing")
    assert "Running stage 'evaluate'" in told
    assert "Running stage 'train'" not in told and "Running stage 'embed@base-passages'" not in told
    missing = json.loads(run(runner, "dvc", "data", "status", "--not-in-remote", "--json"))
    assert missing.get("not_in_remote"), "what was computed here is not pushed yet, and says so"


def test_a_version_is_got_by_its_tag_and_by_its_stage(
    workspace: Path, tmp_path: Path, folder: list[list[str]]
) -> None:
    pushed(workspace, folder)
    run(workspace, "git", "config", "user.name", "test")
    run(workspace, "git", "config", "user.email", "test@localhost")
    run(workspace, "gto", "register", "retriever", "--version", "v1.0.0")
    run(workspace, "gto", "assign", "retriever", "--version", "v1.0.0", "--stage", "prod")
    run(
        tmp_path,
        "dvc",
        "get",
        str(workspace),
        "models/release",
        "--rev",
        "retriever@v1.0.0",
        "-o",
        "by-tag",
    )
    run(
        tmp_path,
        "dvc",
        "artifacts",
        "get",
        str(workspace),
        "retriever",
        "--stage",
        "prod",
        "-o",
        "by-stage",
    )
    manifests = [
        (tmp_path / name / "manifest.json").read_bytes() for name in ("by-tag", "by-stage")
    ]
    assert manifests[0] == manifests[1] == (workspace / "models/release/manifest.json").read_bytes()
    run(tmp_path, "argot", "verify", "--release", "by-stage")


def test_freshness_is_told_without_any_data(workspace: Path, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / ".github/scripts/freshness.sh"
    fresh = tmp_path / "fresh"
    run(tmp_path, "git", "clone", "-q", str(workspace), str(fresh))
    run(fresh, str(script))
    with (fresh / "stages/chunk.py").open("a") as file:
        file.write("# changed\n")
    for folder in (fresh, workspace):
        (folder / "stages/chunk.py").write_bytes((fresh / "stages/chunk.py").read_bytes())
        result = subprocess.run(
            [script], cwd=folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert result.returncode == 1 and "dvc.lock is stale" in result.stderr


def test_a_runner_pushes_before_it_commits(
    workspace: Path, tmp_path: Path, folder: list[list[str]]
) -> None:
    pushed(workspace, folder)
    runner = clone(workspace, tmp_path / "runner")
    run(runner, "git", "config", "user.name", "runner")
    run(runner, "git", "config", "user.email", "runner@localhost")
    params = runner / "params.yaml"
    params.write_text(params.read_text().replace("min_questions: 100", "min_questions: 600"))
    run(runner, "git", "commit", "-qam", "Ask for more questions")
    run(runner, str(Path(__file__).parents[2] / ".github/scripts/repro.sh"))
    assert run(runner, "git", "log", "-1", "--format=%s").startswith("Record a run")
    assert run(runner, "git", "status", "--porcelain") == ""
    other = clone(runner, tmp_path / "other")
    run(other, "dvc", "pull")
    assert run(other, "dvc", "status").strip() == "Data and pipelines are up to date."


def test_a_clean_merge_of_two_locks_is_a_conflict(workspace: Path) -> None:
    commit_as = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    (workspace / ".gitattributes").write_text("dvc.lock -merge\n")
    commit(workspace)
    run(workspace, "git", "branch", "other")
    for branch, change in (
        ("code", ("stages/chunk.py", None)),
        ("other", ("params.yaml", "min_questions: 700")),
    ):
        run(workspace, "git", "switch", "-q", *(["-c", branch] if branch == "code" else [branch]))
        path = workspace / change[0]
        text = path.read_text()
        path.write_text(
            text.replace("min_questions: 100", change[1]) if change[1] else text + "# changed\n"
        )
        assert dvc(workspace, "repro").returncode == 0
        commit(workspace)
    merge = subprocess.run(
        [*commit_as, "merge", "code"], cwd=workspace, capture_output=True, text=True, check=False
    )
    assert merge.returncode == 1 and "dvc.lock" in merge.stdout
    run(workspace, "git", "checkout", "--ours", "dvc.lock")
    again = dvc(workspace, "repro")
    assert again.returncode == 0 and ("'evaluate'" in again.stdout or "'chunk'" in again.stdout)
    assert run(workspace, "dvc", "status").strip() == "Data and pipelines are up to date."


def test_the_committed_workflows_are_valid() -> None:
    root = Path(__file__).parents[2]
    files = sorted((root / ".github/workflows").glob("*.yml"))
    schema = ["--builtin-schema", "vendor.github-workflows"]
    result = subprocess.run(
        [BIN / "check-jsonschema", *schema, *files], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
