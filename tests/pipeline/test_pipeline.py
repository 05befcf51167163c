"""The whole pipeline by real dvc over a tiny project: what runs again, and what does not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from tests.support.workspaces import ran
from tools.tiny.project import dvc, project

pytestmark = [pytest.mark.xdist_group("pipeline"), pytest.mark.usefixtures("warm_start")]

EMBEDS = {
    f"embed@{model}-{texts}"
    for model in ("base", "tuned")
    for texts in ("passages", "pairs", "questions")
}
ALL = {
    "ingest", "chunk", "lexical", "questions", "synthesize", "fetch", *EMBEDS, "mine", "train", "evaluate", "index",
    "verify", "report",
}  # fmt: skip
ASKED = {"embed@base-questions", "embed@tuned-questions"}
# Which stages are directly stale when a param of the section changes: its own, and `report`, which
# shows all params.
SECTIONS = {
    "ingest": {"ingest", "report"},
    "chunk": {"chunk", "report"},
    "lexical": {"lexical", "report"},
    "questions": {"questions", "report"},
    "synthesize": {"synthesize", "report"},
    "synthesize.llm": {"synthesize", "mine", "report"},
    "fetch": {"fetch", "report"},
    # Training and search multiply in the same format.
    "embed": {*EMBEDS, "train", "index", "report"},
    "mine": {"mine", "report"},
    "train": {"train", "report"},
    "evaluate": {"evaluate", "report"},
    "release": {"evaluate", "report"},
    "index": {"index", "report"},
    "index.dim": {"evaluate", "index", "report"},  # what ships is measured as it ships
    "index.tokens": {*EMBEDS, "train", "index", "report"},  # tokens that are searched are trained
    "verify": {"verify", "report"},
    "report": {"report"},
    "machine": set(),
    "spend": set(),
}
# ... and when a file changes.
FILES = {
    "data/raw/anchors.md": {"ingest"},
    "data/queries/questions.jsonl": {"questions"},
    "data/own-pairs/README.md": {"synthesize"},
    "data/questions/train.parquet": {"synthesize", *ASKED},
    "data/questions/dev.parquet": {"train", "evaluate", *ASKED},
    "data/questions/test.parquet": {"evaluate", *ASKED},
    **{f"stages/{name}.py": {name} for name in sorted(ALL - EMBEDS)},
    "stages/embed.py": EMBEDS,
}


def stale(workspace: Path) -> set[str]:
    """The stages whose deps or params differ from dvc.lock: directly stale."""
    with Repo(str(workspace)) as repo:
        status: dict[str, list[Any]] = repo.status()
    return {
        stage.rpartition("dvc.yaml:")[2]
        for stage, changes in status.items()
        if any(isinstance(change, dict) and "changed deps" in change for change in changes)
    }


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return [*value, "more"] if isinstance(value, list) else f"{value}-changed"


def with_changed(params: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    if len(path) == 1:
        return {**params, path[0]: changed(params[path[0]])}
    return {**params, path[0]: with_changed(params[path[0]], path[1:])}


def test_everything_that_was_promised_is_there(built: Path) -> None:
    for name in (
        "embedder/model.safetensors",
        "index.faiss",
        "lexical",
        "chunks.parquet",
        "manifest.json",
        "README.md",
    ):
        assert (built / "models/release" / name).exists(), name
    metrics = json.loads((built / "reports/metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["evaluate"]["questions"]["test"]) >= {
        "bm25",
        "base",
        "base+bm25",
        "tuned",
        "tuned+bm25",
    }
    assert "<html" in (built / "reports/index.html").read_text(encoding="utf-8")
    assert (
        set(
            re.findall(
                r"^  (\S+):$", (built / "dvc.lock").read_text(encoding="utf-8"), re.MULTILINE
            )
        )
        == ALL
    )


def test_a_second_run_runs_nothing_and_is_quick(built: Path) -> None:
    started = time.monotonic()
    result = dvc(built, "repro")
    assert ran(result.stdout) == [] and "up to date" in result.stdout
    assert time.monotonic() - started < 10  # about 2 s on an idle machine


@pytest.mark.slow
def test_each_param_makes_just_its_stages_stale(workspace: Path) -> None:
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert stale(workspace) == set()
    for leaf in leaves(params):
        path.write_text(yaml.safe_dump(with_changed(params, leaf)), encoding="utf-8")
        expected = SECTIONS.get(".".join(leaf[:2]), SECTIONS[leaf[0]])
        assert stale(workspace) == expected, ".".join(leaf)


@pytest.mark.parametrize("name", FILES)
def test_each_file_makes_just_its_stages_stale(workspace: Path, name: str) -> None:
    file = workspace / name
    with file.open("ab") as end:
        end.write(b"\n")
    assert stale(workspace) == FILES[name]


def test_a_comment_in_a_stage_runs_that_stage_alone(workspace: Path) -> None:
    with (workspace / "stages/chunk.py").open("a", encoding="utf-8") as file:
        file.write("# a comment\n")
    assert ran(dvc(workspace, "repro").stdout) == ["chunk"]


def test_a_test_question_runs_only_what_measures(workspace: Path) -> None:
    with (workspace / "data/queries/questions.jsonl").open("a", encoding="utf-8") as file:
        file.write(
            json.dumps(
                {"query": "who greases the brake?", "relevant": [{"document": "anchors.md"}]}
            )
            + "\n"
        )
    result = dvc(workspace, "repro")
    assert result.returncode == 0, result.stderr
    measuring = {"questions", *ASKED, "evaluate", "verify", "report"}
    assert set(ran(result.stdout)) == measuring


def test_a_rule_of_the_verdict_runs_evaluate_and_the_report(workspace: Path) -> None:
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(
        yaml.safe_dump(with_changed(params, ("release", "min_documents"))), encoding="utf-8"
    )
    again = set(ran(dvc(workspace, "repro").stdout))
    assert "evaluate" in again and again <= {"evaluate", "index", "verify", "report"}


def test_cut_vectors_are_measured_as_they_ship(workspace: Path) -> None:
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["index"]["dim"] = 8
    params["verify"]["max_loss"] = 1.0e-6
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    result = dvc(workspace, "repro")
    assert result.returncode == 0, result.stderr
    assert set(ran(result.stdout)) == {"evaluate", "index", "verify", "report"}
    metrics = json.loads((workspace / "reports/metrics.json").read_text(encoding="utf-8"))
    rows = {
        system: metrics["evaluate"]["pairs"]["test"][system]["ndcg@10"]
        for system in ("base+bm25+tokens", "base@8+bm25+tokens")
    }
    assert {"tuned@8", "tuned@8+bm25", "base@8"} < set(metrics["evaluate"]["questions"]["test"])
    assert metrics["index"]["dimension"] == 8
    evaluated = metrics["verify"]["pairs"]["evaluated"]
    assert (
        evaluated
        == pytest.approx(rows["base@8+bm25+tokens"], abs=1e-6)
        != pytest.approx(rows["base+bm25+tokens"], abs=1e-6)
    )


def test_a_new_document_runs_from_ingest_to_the_report(workspace: Path) -> None:
    text = "# The crane\n\nThe deck crane is parked in its cradle, and the hook is secured before the ship sails at night.\n"
    (workspace / "data/raw/crane.md").write_text(text, encoding="utf-8")
    result = dvc(workspace, "repro")
    assert result.returncode == 0, result.stderr
    again = ran(result.stdout)
    assert again[0] == "ingest" and again[-1] == "report" and "fetch" not in again


def test_what_only_decides_how_it_runs_runs_nothing(workspace: Path) -> None:
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["machine"]["device"] = "cpu"
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    assert ran(dvc(workspace, "repro").stdout) == []


@pytest.mark.slow
def test_two_fresh_runs_give_the_same_lock(built: Path, tmp_path: Path) -> None:
    other = project(tmp_path)
    # The model lies elsewhere, as it would in another clone: only its content may count.
    lock = (built / "params.yaml").read_text(encoding="utf-8")
    (other / "params.yaml").write_text(lock, encoding="utf-8")
    assert dvc(other, "repro").returncode == 0
    assert (other / "dvc.lock").read_bytes() == (built / "dvc.lock").read_bytes()
