"""The report over what the real `evaluate` found, with texts that would like to be code."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from argot.core.files import write_json
from argot.core.parquet import read_table, write_table
from argot.errors import InputError
from argot.evaluation.names import Sides
from argot.report import lead
from argot.report.terminal import print_results
from argot.tables import chunks, judgments
from stages import report
from tests.stages.test_compare import MANAGED, further
from tests.stages.test_evaluate import outcome
from tools.tiny.provider import serving

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"
NO_LLM = {"replies": 0, "status": {}, "tokens_in": 0, "tokens_out": 0, "usd": 0}
SMALL = {
    "ingest": {
        "documents": 40, "words": 4800, "formats": {"markdown": 40}, "languages": {"en": 40}, "near_duplicates": 0,
        "refused": 1, "refused_reasons": {HOSTILE: 1}, "refused_documents": [{"document": HOSTILE, "reason": HOSTILE}],
    },
    "chunk": {
        "chunks": 160, "stubs": 0, "languages": {"en": 160}, "documents_without_chunks": 1, "without_chunks": [HOSTILE],
        "words": {"max": 30, "mean": 30.0, "median": 30.0},
    },
    "questions": {"questions": {"test": 120, "dev": 0, "train": 0}, "documents_asked_about": 40, "refused": {}},
    "synthesize": {
        "pairs": {"train": {"sentence": 300}, "dev": {"sentence": 90}, "test": {"sentence": 90}},
        "dropped": {"heading": {"empty": 5}}, "llm": NO_LLM, "judge": NO_LLM, "overlap": {"test": 0.5},
        "trained_passages": 100, "queries_per_trained_passage": 3.0,
    },
    "fetch": {"dimension": 32, "window": 64, "files": 8, "weights": {"model.safetensors": "5f" * 32}},
    "mine": {"kept": {"sentence": 290}, "not_found_again": {"sentence": 10}, "rows": 290, "skip_rate": 0.2},
    "train": {
        "rows": 290, "passages": 100, "steps": 10, "dev_queries": 90, "dev_real": False, "dev_base": 0.5,
        "curve": [{"pass": 1, "loss": 1.5, "ndcg@10": 0.6}, {"pass": 2, "loss": 1.2, "ndcg@10": 0.65}],
        "merge": 0.75, "merged": {"0.75": 0.66, "1.0": 0.65}, "dev_tuned": 0.66,
    },
    "index": {"passages": 160, "documents": 40, "dimension": 32, "index_bytes": 20_480},
    "verify": {"questions": {"queries": 120, "ndcg@10": 0.7, "evaluated": 0.7, "loss": 0.0}},
    **{cell: {"texts": 160, "cut": 4, "dimension": 32, "identity": "6e" * 16} for cell in report.STAGES if cell.startswith("embed-")},
}  # fmt: skip
Ran = Callable[[], str]


class Tags(HTMLParser):
    """The tags of a page, and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def evaluated(folder: Path, asked: int) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        outcome(folder, patch, base=0.6, tuned=2.0, asked=asked)
    for stage, figures in SMALL.items():
        write_json(folder / f"data/figures/{stage}.json", figures)
    shutil.copy(ROOT / "numerics.lock", folder)
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluated(tmp_path_factory.mktemp("asked"), 120)


@pytest.fixture
def folder(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of a workspace that only lacks its report; the working directory."""
    yield enter(shutil.copytree(asked, tmp_path / "root"), monkeypatch)


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def page() -> str:
    report.main()
    return report.PAGE.read_text(encoding="utf-8")


def change(stage: str, edit: Callable[[dict[str, Any]], None]) -> None:
    path = Path(f"data/figures/{stage}.json")
    figures = json.loads(path.read_text(encoding="utf-8"))
    edit(figures)
    write_json(path, figures)


def test_the_page_tells_all_in_order(folder: Path) -> None:
    text = page()
    assert "Tuning helped: the tuned model ships." in text
    assert "significantly better than base + BM25" in text
    assert "BM25</span></th>" in text and '<tr class="ships"><th>with tuning' in text
    assert '<code class="command">argot serve</code>' in text
    sections = re.findall(r'<section id="(\w+)">', text)
    assert sections == [
        "evidence",
        "systems",
        "queries",
        "training",
        "slices",
        "fusion",
        "data",
        "release",
        "cost",
        "origin",
    ]
    assert (
        text.count("<svg") == 8 + 3 + 3 + 2
    )  # systems (all, seen, held out; pairs), training, slices, fusion
    assert "No language model was asked" in text
    assert "20.5 kB" in text
    assert "torch" in text and "learning_rate: 5.0e-05" in text
    assert "<code>synthesize</code> in params.yaml" in text  # in the advice


def test_the_same_figures_give_the_same_bytes(folder: Path) -> None:
    report.main()
    first = {
        path: path.read_bytes() for path in sorted(Path("reports").rglob("*")) if path.is_file()
    }
    report.main()
    assert first == {
        path: path.read_bytes() for path in sorted(Path("reports").rglob("*")) if path.is_file()
    }
    assert len(first) == 5


def test_texts_of_strangers_stay_texts(folder: Path) -> None:
    table = read_table(judgments.PATH, judgments.SCHEMA).to_pylist()
    write_table(
        judgments.PATH,
        [{**row, "query": f"{HOSTILE} {row['query']}"} for row in table],
        judgments.SCHEMA,
    )
    rows = read_table(chunks.PATH, chunks.SCHEMA).to_pylist()
    spoilt = dict.fromkeys(("text", "heading", "document"), HOSTILE)
    write_table(chunks.PATH, [{**row, **spoilt} for row in rows], chunks.SCHEMA)

    def name_a_kind(figures: dict[str, Any]) -> None:
        kinds = figures["slices"]["questions"]["kind"]
        figures["slices"]["questions"]["kind"] = {HOSTILE: kinds["phone"], "a & b": kinds["phone"]}
        figures["text"]["reason"] = figures["text"]["advice"][0]["text"] = HOSTILE

    change("evaluate", name_a_kind)
    text = page()
    assert "<script" not in text and "<img" not in text
    assert text.count("&lt;script&gt;") > 20


def test_the_page_needs_no_network_and_runs_nothing(folder: Path) -> None:
    text = page()
    found = Tags()
    found.feed(text)
    assert not found.names & {"script", "img", "link", "iframe", "object", "image", "a", "use"}
    assert not [
        name
        for name in found.attributes
        if name.startswith("on") or name in ("src", "href", "xlink:href")
    ]
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in text


def test_without_questions_the_page_is_of_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(evaluated(tmp_path, 0), monkeypatch)
    text = page()
    assert "Not proven: the base model ships." in text
    assert "Synthetic queries that tuning changed most" in text
    assert "the queries were made by the pipeline" in text.lower()
    assert "asked by people" not in text


def test_without_dev_queries_there_is_no_curve_to_show(folder: Path) -> None:
    change("train", lambda figures: figures.update(dev_queries=0))
    text = page()
    assert "There were no dev queries" in text
    assert "Merge with the base" not in text


def test_money_is_told_where_it_was_spent(folder: Path) -> None:
    paid = {
        "replies": 160,
        "status": {"good": 158, "malformed": 2},
        "tokens_in": 91_234,
        "tokens_out": 20_134,
        "usd": 0.19,
    }
    change("synthesize", lambda figures: figures.update(llm=paid))
    assert "<td>91,234</td><td>20,134</td><td>0.19</td>" in page()


def test_further_rows_stand_beside_the_five(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        further(tmp_path, monkeypatch, server, compare=[MANAGED], dim=16)
    text = enter_and_read(tmp_path)
    for row in (MANAGED, f"{MANAGED} + BM25", "tuned, cut to 16", "base, cut to 16 + BM25"):
        assert f"{row}</td>" in text
    assert "Against base, cut to 16 + BM25" in text and "Tuned, cut to 16 + BM25 against" in text
    assert "No language model was asked" not in text
    plotted = json.loads((report.PLOTS / "systems.json").read_text(encoding="utf-8"))
    assert f"{MANAGED} + BM25" in {point["system"] for point in plotted}
    output = io.StringIO()
    print_results(Console(file=output, width=120))
    assert (
        f"{MANAGED} + BM25" in output.getvalue() and "tuned, cut to 16 + BM25" in output.getvalue()
    )


def enter_and_read(folder: Path) -> str:
    for stage, figures in SMALL.items():
        write_json(folder / f"data/figures/{stage}.json", figures)
    shutil.copy(ROOT / "numerics.lock", folder)
    return page()


def test_the_first_sentence_counts_the_questions_that_are_answered(folder: Path) -> None:
    def answered(system: str) -> int:
        rows = report.cases.read_judgments().to_pylist()
        own = [row for row in rows if (row["set"], row["system"]) == ("questions", system)]
        assert len(own) == 120
        return sum(bool(set(row["top"]) & set(row["relevant"])) for row in own)

    share = {system: round(100 * answered(system) / 120) for system in ("bm25", "tuned+bm25")}
    told = f"{share['tuned+bm25']} of 100 questions; word search alone for {share['bm25']}."
    assert f"for {told}</h1>" in page()
    assert json.loads(report.VERDICT.read_text(encoding="utf-8"))["headline"].endswith(told)


def test_few_questions_are_counted_and_not_scaled_to_a_hundred() -> None:
    rungs = [
        lead.Answered("word search alone", "BM25", 3, 7, False),
        lead.Answered("with tuning", "tuned + BM25", 5, 7, True),
    ]
    told = lead.headline(rungs, "questions")
    assert told.endswith("for 5 of 7 questions; word search alone for 3.")
    assert lead.headline([rungs[0]._replace(ships=True)], "questions").startswith("Word search")
    assert lead.headline([], "questions") == ""


def test_the_queries_that_changed_most_stand_side_by_side(folder: Path) -> None:
    wins, losses = report.cases.changed_most(report.cases.read_judgments(), Sides(), 5)
    gains = [case.gain for case in wins]
    assert len(wins) == 5 and gains == sorted(gains, reverse=True) and gains[-1] > 0
    assert all(case.gain < 0 for case in losses)
    case = next(case for case in wins if case.before > 0)
    assert [found.rank for found in case.found_before][:3] == [1, 2, 3]
    assert sum(found.relevant for found in case.found_before) == 1
    assert all(found.document.startswith("manual") for found in case.found_after)


def comment_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("comment", ROOT / ".github/scripts/comment.py")
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_verdict_is_what_a_pull_request_shows(folder: Path) -> None:
    report.main()
    comment = comment_script()
    told = json.loads(report.VERDICT.read_text(encoding="utf-8"))
    lines = comment.verdict(told).splitlines()
    assert lines[0] == "### Verdict: tuned"
    assert lines[1:4] == [told["headline"], "", told["reason"]]
    assert lines[5] == f"{told['power']}." and "(80 % power)" in lines[5]
    assert "| Improved most | untuned | tuned |" in lines


def test_a_pull_request_counts_the_verdicts_in_git(folder: Path) -> None:
    comment = comment_script()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run([*git, "init", "-q"], check=True)
    report.VERDICT.parent.mkdir()
    for run in ("first", "second"):
        report.VERDICT.write_text(run, encoding="utf-8")
        subprocess.run([*git, "add", str(report.VERDICT)], check=True)
        subprocess.run([*git, "commit", "-qm", run], check=True)
    assert comment.too_many_looks(2) == ""
    assert comment.too_many_looks(1).startswith("2 verdicts are in git")


def test_metrics_are_numbers_alone(folder: Path) -> None:
    report.main()
    metrics = json.loads(report.METRICS.read_text(encoding="utf-8"))
    assert metrics["evaluate"]["questions"]["test"]["tuned"]["ndcg@10"] > 0
    assert "text" not in metrics["evaluate"]
    assert "refused_documents" not in metrics["ingest"]


def test_a_missing_stage_is_told_in_one_line(folder: Path) -> None:
    Path("data/figures/mine.json").unlink()
    with pytest.raises(InputError, match=r"mine\.json is missing or damaged; run `dvc repro`"):
        report.main()


@pytest.mark.parametrize(
    ("stage", "key", "value"),
    [
        ("evaluate", "questions", {"test": {"base": {}}}),
        ("evaluate", "verdict", True),
        ("evaluate", "text", {"sides": ["base", []]}),
        ("evaluate", "text", {"sides": ["base", "tuned"]}),
        ("evaluate", "slices", []),
        ("train", "curve", [{"pass": "x"}]),
        ("fetch", "weights", 7),
    ],
)
def test_figures_damaged_inside_are_told_and_the_former_report_stays(
    folder: Path, stage: str, key: str, value: Any
) -> None:
    page()
    before = report.METRICS.read_bytes()
    change(stage, lambda figures: figures.update({key: value}))
    with pytest.raises(InputError, match="data/figures: damaged figures.*run `dvc repro`"):
        report.main()
    assert report.METRICS.read_bytes() == before


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (2_502_144, "2.5 MB"),
        (7.1e12, "7.1 TB"),
    ],
)
def test_bytes_for_people(count: float, told: str) -> None:
    assert report.as_bytes(count) == told
