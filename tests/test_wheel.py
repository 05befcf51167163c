"""The wheel in empty environments, beside those libraries alone that its metadata names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from argot.core.files import write_json
from argot.project.folder import create
from argot.project.template import FILES, LINES
from argot.search.release import read_manifest
from tests.support.installed import distributions
from tools.deps import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools writes beside its source, and packs what an earlier build left there."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "argot", source / "argot", ignore=shutil.ignore_patterns("__pycache__"))
    template = (*FILES, *LINES, "numerics.lock")
    for pattern in ("pyproject.toml", "setup.py", "README.md", "LICENSE", *template):
        for path in ROOT.glob(pattern):
            (source / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, source / path.relative_to(ROOT))
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run([*PIP, *build], check=True)
    (built,) = folder.glob("*.whl")
    return built


def install(wheel: Path, name: str, *extras: str) -> Path:
    """An environment with the wheel, and links to what `pip install argot-retrieval[extras]` would bring."""
    folder = wheel.parent / name
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = ["--python", str(folder / "bin/python")]
    subprocess.run([*PIP, *python, "install", "--no-deps", str(wheel)], check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for library in distributions(*extras):
        link(library, site)
    return folder


def link(library: str, site: Path) -> None:
    """Link the top-level files and folders of an installed distribution; of another system there are none."""
    installed = distribution(library)
    for top in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(installed.locate_file(top))))


@pytest.fixture(scope="module")
def base(wheel: Path) -> Path:
    return install(wheel, "base")


@pytest.fixture(scope="module")
def cpu(wheel: Path) -> Path:
    return install(wheel, "cpu", "cpu")


def argot(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment / "bin/argot", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
    )


def test_the_wheel_holds_every_file_of_the_library(base: Path) -> None:
    tracked = subprocess.check_output(["git", "ls-files", "argot"], cwd=ROOT, text=True).split()
    (site,) = (base / "lib").glob("python*/site-packages")
    assert not [name for name in tracked if not (site / name).is_file()]


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
def test_the_base_installation_searches_a_release(
    cpu: Path, release: Path, tmp_path: Path, mode: str
) -> None:
    question = ["search", "error E-17", "--mode", mode, "--json", "--release", str(release)]
    found = argot(cpu, tmp_path, *question)
    assert found.returncode == 0, found.stderr
    texts = [json.loads(line)["text"] for line in found.stdout.splitlines()]
    assert "Error E-17 means the rotor is stuck." in texts


def test_it_makes_the_project_that_a_checkout_makes(wheel: Path, tmp_path: Path) -> None:
    """`argot init`, then stages that run beside the installed package, and no checkout."""
    environment = install(wheel, "project", "cpu", "pipeline")
    made = argot(environment, tmp_path, "init", "team")
    assert made.returncode == 0, made.stderr
    create(tmp_path / "checkout")
    for path in (path for path in (tmp_path / "checkout").rglob("*") if path.is_file()):
        name = path.relative_to(tmp_path / "checkout")
        # git's and dvc's own files hold times.
        if not {".git", "tmp"} & set(name.parts):
            assert (tmp_path / "team" / name).read_bytes() == path.read_bytes(), name
    (tmp_path / "team/data/raw").mkdir()
    (tmp_path / "team/data/raw/a.md").write_text("# Rotor\n\nError E-17 means a stuck rotor.\n")
    for stage in ("ingest", "chunk"):
        command = [environment / "bin/python", "-m", f"stages.{stage}"]
        subprocess.run(command, cwd=tmp_path / "team", env={"PATH": "/usr/bin:/bin"}, check=True)
    assert (tmp_path / "team/data/chunks.parquet").is_file()


def test_it_renders_the_model_card(base: Path, release: Path, tmp_path: Path) -> None:
    figures = json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8"))
    verdict = json.loads((ROOT / "reports/verdict.json").read_text(encoding="utf-8"))
    shipped = read_manifest(release).verdict
    text = {**verdict, "verdict": shipped.verdict, "ships": shipped.system}
    write_json(tmp_path / "data/figures/evaluate.json", {**figures["evaluate"], "text": text})
    write_json(tmp_path / "data/figures/fetch.json", {"base_model": "b", "license": "mit"})
    arguments = ["publish", "team/model", "--base", "b", "--dry-run", "--release", str(release)]
    shown = argot(base, tmp_path, *arguments)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("---\n")
    assert 'SentenceTransformer("team/model")' in shown.stdout


@pytest.mark.parametrize(
    ("command", "extra"), [("serve", "serve"), ("mcp", "mcp"), ("ask", "ask"), ("search", "cpu")]
)
def test_a_missing_extra_is_named(
    base: Path, release: Path, tmp_path: Path, command: str, extra: str
) -> None:
    question = ["what is E-17"] if command in ("ask", "search") else []
    refused = argot(base, tmp_path, command, *question, "--release", str(release))
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert f"pip install 'argot-retrieval[{extra}]'" in refused.stderr
