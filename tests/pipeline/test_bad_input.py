"""Bad input, as people make it: one clear line and exit code 2, or a refusal that is named and counted."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from argot.core.parquet import read_table
from argot.tables import questions
from stages.report import STAGES
from tools.tiny.project import environment, project

pytestmark = [pytest.mark.xdist_group("bad input"), pytest.mark.usefixtures("warm_start")]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project: nothing has run in it yet."""
    return project(tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def workspace(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "workspace", symlinks=True))


def run(workspace: Path, *stages: str) -> subprocess.CompletedProcess[str]:
    for stage in stages:
        command = ["python", "-m", f"stages.{stage}"]
        result = subprocess.run(
            command, cwd=workspace, env=environment(), capture_output=True, text=True, check=False
        )
    return result


def figures(workspace: Path, stage: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (workspace / f"data/figures/{stage}.json").read_text(encoding="utf-8")
    )
    return content


def set_param(workspace: Path, section: str, key: str, value: Any) -> None:
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params[section][key] = value
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


def empty(workspace: Path) -> None:
    shutil.rmtree(workspace / "data/raw")
    (workspace / "data/raw").mkdir()


def spoil(name: str, content: bytes | None) -> Callable[[Path], object]:
    """What writes a file in place of `name`, or a folder where there is no content."""

    def write(workspace: Path) -> None:
        path = workspace / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)

    return write


BAD: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "no data/raw": (lambda w: shutil.rmtree(w / "data/raw"), ["ingest"], "data/raw holds no documents"),
    "an empty data/raw": (empty, ["ingest"], "data/raw holds no documents"),
    "an unknown param": (lambda w: set_param(w, "chunk", "max_wrods", 9), ["chunk"], "did you mean 'max_words'?"),
    "a mistyped param": (lambda w: set_param(w, "chunk", "max_words", "many"), ["chunk"], "chunk.max_words"),
    "an exponent that YAML reads as text": (
        lambda w: set_param(w, "train", "learning_rate", "1e-3"), ["train"], "write 1.0e-3",
    ),
    "a param out of its range": (lambda w: set_param(w, "chunk", "max_words", -1), ["chunk"], "chunk.max_words"),
    "a base model that can't be found": (
        lambda w: set_param(w, "fetch", "model", "path:nowhere"), ["fetch"], "nowhere",
    ),
    "a package that isn't installed": (
        lambda w: set_param(w, "fetch", "model", "pypi:no-such-model"), ["fetch"], "no-such-model",
    ),
    "a Hub model without its commit": (
        lambda w: set_param(w, "fetch", "model", "BAAI/bge-base-en-v1.5"), ["fetch"], "fetch.revision",
    ),
    "params in no UTF-8": (spoil("params.yaml", b"chunk: \xff"), ["chunk"], "not a text in UTF-8"),
    "params that are a folder": (spoil("params.yaml", None), ["chunk"], "params.yaml: not a text"),
    "params nested without end": (spoil("params.yaml", b"a: " + b"[" * 5000), ["chunk"], "nested too deeply"),
    "params that are a list": (spoil("params.yaml", b"- a"), ["chunk"], "expected sections"),
    "a param that is no number": (
        lambda w: set_param(w, "lexical", "k1", float("nan")), ["lexical"], "lexical.k1",
    ),
    "a section that is a list": (spoil("params.yaml", b"chunk: [1]"), ["chunk"], "params.yaml: chunk"),
    "a file in place of data/raw": (spoil("data/raw", b"x"), ["ingest"], "data/raw holds no documents"),
    "a file in place of data/queries": (
        spoil("data/queries", b"x"), ["ingest", "chunk", "questions"], "data/queries is a file",
    ),
    "a table cut short": (spoil("data/documents.parquet", b"PAR1"), ["chunk"], "documents.parquet is damaged"),
    "an empty table": (spoil("data/documents.parquet", b""), ["chunk"], "documents.parquet is damaged"),
    "a folder in place of a table": (spoil("data/documents.parquet", None), ["chunk"], "documents.parquet is damaged"),
    "a file in place of the locks": (spoil(".locks", b"x"), ["ingest"], ".locks: File exists"),
    "a file in place of the figures": (spoil("data/figures", b"x"), ["ingest"], "data/figures: File exists"),
    "the logs in the way": (spoil("logs", b"x"), ["ingest"], "logs: File exists"),
    "a base model that is the stage's output": (
        lambda w: [(w / "models/base").mkdir(parents=True), set_param(w, "fetch", "model", "path:models/base")],
        ["fetch"], "is where this stage writes",
    ),
    "a base model that is a file": (
        lambda w: set_param(w, "fetch", "model", "path:params.yaml"), ["fetch"], "there is no folder",
    ),
    "figures that are a list": (spoil("data/figures/ingest.json", b"[]"), ["report"], "holds no figures"),
    "figures that are a folder": (spoil("data/figures/ingest.json", None), ["report"], "missing or damaged"),
    "figures that lack all": (
        lambda w: [spoil(f"data/figures/{name}.json", b"{}")(w) for name in STAGES],
        ["report"], "ingest.json holds no 'documents'",
    ),
    "a BM25 setting below its range": (
        lambda w: set_param(w, "lexical", "k1", -1.0), ["lexical"], "lexical.k1",
    ),
    "a share of the tuned model above 1": (
        lambda w: set_param(w, "train", "merge", [1.5]), ["train"], "train.merge.0",
    ),
    "a source that there is not": (
        lambda w: set_param(w, "synthesize", "measured", ["headings"]), ["synthesize"], "synthesize.measured.0",
    ),
    "a stage before its input": (lambda w: None, ["chunk"], "data/documents.parquet is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told_in_one_line(workspace: Path, name: str) -> None:
    spoil, stages, told = BAD[name]
    spoil(workspace)
    result = run(workspace, *stages)
    assert result.returncode == 2
    assert told in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_bad_questions_are_refused_by_line_and_counted(workspace: Path) -> None:
    questions = workspace / "data/queries/questions.jsonl"
    with questions.open("a", encoding="utf-8") as file:
        file.write("this is no JSON\n")
        file.write(json.dumps({"query": "where?", "relevant": [{"document": "nowhere.md"}]}) + "\n")
        quote = "these words stand in no document"
        file.write(
            json.dumps({"query": "what?", "relevant": [{"document": "anchors.md", "quote": quote}]})
            + "\n"
        )
    result = run(workspace, "ingest", "chunk", "questions")
    assert result.returncode == 0
    assert sum(figures(workspace, "questions")["refused"].values()) == 3
    assert len([line for line in result.stderr.splitlines() if "questions.jsonl:" in line]) == 3


def test_no_question_at_all_is_no_error(workspace: Path) -> None:
    (workspace / "data/queries/questions.jsonl").unlink()
    assert run(workspace, "ingest", "chunk", "questions").returncode == 0
    tables = [read_table(workspace / path, questions.SCHEMA) for path in questions.PATHS.values()]
    assert [len(table) for table in tables] == [0] * len(questions.PATHS)
    assert sum(figures(workspace, "questions")["refused"].values()) == 0


def test_text_in_an_old_encoding_is_read(workspace: Path) -> None:
    text = "# Das Übergabeprotokoll\n\nDie Schlüssel für die Räume liegen beim Pförtner; größere Schäden meldet man sofort.\n"
    (workspace / "data/raw/latin.txt").write_bytes(text.encode("cp1252"))
    assert run(workspace, "ingest").returncode == 0
    assert figures(workspace, "ingest")["documents"] == 13


def test_a_document_beyond_the_limit_is_named(workspace: Path) -> None:
    set_param(workspace, "ingest", "max_file_megabytes", 1)
    (workspace / "data/raw/huge.txt").write_bytes(b"many words " * 200_000)
    assert run(workspace, "ingest").returncode == 0
    assert [
        refusal["document"] for refusal in figures(workspace, "ingest")["refused_documents"]
    ] == ["huge.txt"]
