"""What dvc.yaml declares is what the code does, and the known traps of DVC stay shut."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from argot.encoding import embedder
from tools.deps import PIPELINES, ROOT, closure, expanded, folded, is_code, stages
from tools.numerics import DECIDING, deciding_modules, numerics

DVC_YAML: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = dict(stages(DVC_YAML))


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.name)
def test_a_stage_declares_exactly_the_files_it_imports(pipeline: Path) -> None:
    for name, stage in stages(yaml.safe_load(pipeline.read_text(encoding="utf-8"))):
        declared = [dependency for dependency in stage["deps"] if is_code(dependency)]
        files = closure(f"stages.{name}")
        assert expanded(declared) == files, f"{name}: run `make deps`"
        assert declared == folded(files), f"{name}: run `make deps`"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_no_section_that_only_decides_how_it_runs(name: str) -> None:
    assert not {"machine", "spend"} & {
        str(param).split(".")[0] for param in STAGES[name].get("params", [])
    }


def test_every_section_is_declared_by_some_stage() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    declared = {
        param.split(".")[0] for stage in STAGES.values() for param in stage.get("params", [])
    }
    assert declared == set(params) - {"machine", "spend"}


def test_server_report_and_judgments_make_no_training_stale() -> None:
    files = closure("stages.train")
    assert not [
        file
        for file in files
        if file.startswith(("argot/serving/server", "argot/tables/judgments", "stages/report"))
    ]


def test_only_the_cheap_last_stage_keeps_outputs_out_of_the_cache() -> None:
    uncached = {
        name for name, stage in STAGES.items() for out in stage["outs"] if isinstance(out, dict)
    }
    assert uncached == {"report"}, (
        "an output with `cache: false` turns the run cache off for its whole stage"
    )


def test_every_stage_but_the_report_writes_figures_that_the_report_reads() -> None:
    def written(stage: dict[str, Any]) -> list[str]:
        return [
            out for out in stage["outs"] if isinstance(out, str) and out.startswith("data/figures/")
        ]

    figures = {name: written(stage) for name, stage in STAGES.items() if name != "report"}
    assert all(len(paths) == 1 for paths in figures.values())
    cells = DVC_YAML["stages"]["embed"]["foreach"]
    expected = {paths[0] for name, paths in figures.items() if name != "embed"}
    expected |= {f"data/figures/embed-{cell}.json" for cell in cells}
    assert expected == {dep for dep in STAGES["report"]["deps"] if dep.startswith("data/figures/")}


def test_a_stale_lock_can_not_merge_cleanly_and_bytecode_is_no_dependency() -> None:
    assert "dvc.lock -merge" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert "__pycache__" in (ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines()


def test_the_committed_dvc_config_holds_no_secret() -> None:
    config = (ROOT / ".dvc/config").read_text(encoding="utf-8").lower()
    assert not [
        word for word in ("password", "secret", "token", "keyfile", "access_key") if word in config
    ]


def test_numerics_lock_is_the_deciding_part_of_the_lock_file() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert (ROOT / "numerics.lock").read_text(encoding="utf-8").splitlines() == numerics(lock), (
        "run `make lock`"
    )


def test_a_deciding_library_is_known_by_its_modules() -> None:
    """pip knows a library by another name than Python does: one list serves both."""
    assert {"Stemmer", "bs4", "faiss", "pypdfium2", "pptx", "peft", "torch"} <= deciding_modules()
    assert set(embedder.DECIDING) <= DECIDING
    assert "argot" not in deciding_modules()


def test_import_rules_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    "name", ["ingest", "chunk", "lexical", "questions", "synthesize", "fetch", "report"]
)
def test_a_stage_that_needs_no_torch_does_not_import_it(name: str) -> None:
    code = f"import sys, stages.{name}; sys.exit(bool({{'torch', 'sentence_transformers', 'faiss'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_threads_that_wait_sleep() -> None:
    """OpenMP itself says what it has read: torch must not be imported before it is set."""
    given = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    shown = subprocess.run(
        [sys.executable, "-c", "import stages.embed, torch"],
        cwd=ROOT, env={**given, "OMP_DISPLAY_ENV": "true"}, capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in shown
    code = "import os, argot.serving.cli; print(os.environ['OMP_WAIT_POLICY'])"
    assert subprocess.check_output([sys.executable, "-c", code], env=given) == b"passive\n"


def test_no_import_hides_from_the_import_graph() -> None:
    sources = [
        path for package in ("argot", "stages") for path in sorted((ROOT / package).rglob("*.py"))
    ]
    hiding = [
        path.relative_to(ROOT)
        for path in sources
        if "import_module(" in path.read_text(encoding="utf-8")
    ]
    assert hiding == [Path("argot/__init__.py")]
