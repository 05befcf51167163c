"""Files that the libraries wrote, read as pairs.

`written/` holds what llama-index-finetuning 0.4.2 and beir 2.2.0 wrote:

EmbeddingQAFinetuneDataset(queries=..., corpus=..., relevant_docs=...).save_json("llama_index.json")
beir.util.write_to_json("corpus.jsonl", {"d1": {"title": "Returns", "text": ...}, ...})
beir.util.write_to_json("queries.jsonl", {"q1": "when is the box due?", ...})
beir.util.write_to_tsv("qrels/train.tsv", {"q1": {"d1": 1, "d2": 0}, "q2": {"d2": 1, "d9": 1}})
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from argot.queries.brought.pair import BroughtPair
from argot.queries.brought.reading import read_brought
from argot.queries.refusals import Refusals

WRITTEN = Path(__file__).parent / "written"
RETURNS = "Boxes come back within seven days. Late boxes cost 40 a day."
FUEL = "Fuel is charged monthly, by the price of the first Monday."
DUE, PRICE = ("when is the box due?", RETURNS), ("price of fuel", FUEL)


def read(folder: Path, min_clicks: int = 1) -> tuple[list[BroughtPair], Refusals]:
    refusals = Refusals("synthesize")
    return list(read_brought(folder, min_clicks, refusals)), refusals


def texts(pairs: list[BroughtPair]) -> list[tuple[str, str]]:
    return [(pair.query, pair.text) for pair in pairs]


def lines(path: Path, *rows: dict[str, Any] | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(written) + "\n", encoding="utf-8")


def test_llama_indexs_dataset(tmp_path: Path) -> None:
    shutil.copy(WRITTEN / "llama_index.json", tmp_path)
    pairs, refusals = read(tmp_path)
    assert texts(pairs) == [DUE, PRICE]
    assert refusals.counts == {"malformed": 1, "no positive": 1}
    assert f"{tmp_path}/llama_index.json: query q2: 'corpus' holds no 'node9'" in refusals.messages


def test_a_folder_of_beir(tmp_path: Path) -> None:
    shutil.copytree(WRITTEN / "beir", tmp_path / "deep/beir")
    pairs, refusals = read(tmp_path)
    assert texts(pairs) == [DUE, PRICE]
    assert refusals.counts == {"malformed": 1, "test judgments": 1}
    assert any("train.tsv:5: corpus.jsonl holds no 'd9'" in line for line in refusals.messages)


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv"])
def test_sentence_transformers_pairs_and_triplets(tmp_path: Path, ending: str) -> None:
    triplets = {"anchor": [DUE[0], PRICE[0]], "positive": [RETURNS, FUEL]}
    triplets["negative"] = [FUEL, RETURNS]
    answers: dict[str, list[Any]] = {"question": [DUE[0], PRICE[0]], "answer": [RETURNS, RETURNS]}
    answers["label"] = [1, 0]
    for name, columns in (("triplets", triplets), ("answers", answers)):
        write = getattr(Dataset.from_dict(columns), f"to_{ending.replace('jsonl', 'json')}")
        write(tmp_path / f"{name}.{ending}")
    pairs, refusals = read(tmp_path)
    assert texts(pairs) == [DUE, DUE, PRICE]
    assert refusals.counts == {"no positive": 1}
    line = 3 if ending == "csv" else 2  # a header
    assert refusals.messages[0].startswith(f"{tmp_path}/answers.{ending}:{line}: 'label' is 0")


def test_our_own_form(tmp_path: Path) -> None:
    queries = [DUE[0], {"query": "return period", "type": "keywords"}]
    row = {"document": "returns.md", "heading": "Returns", "passage": RETURNS, "queries": queries}
    lines(tmp_path / "deep/a.jsonl", row, {"document": "fuel.md", "queries": ["price of fuel"]})
    pairs, refusals = read(tmp_path)
    place = f"{tmp_path}/deep/a.jsonl"
    assert pairs == [
        BroughtPair(f"{place}:1", DUE[0], "returns.md", "Returns", RETURNS),
        BroughtPair(f"{place}:1", "return period", "returns.md", "Returns", RETURNS, "keywords"),
        BroughtPair(f"{place}:2", "price of fuel", "fuel.md"),
    ]
    assert not refusals.counts


def test_clicks_are_added_up_over_files_and_few_are_no_pair(tmp_path: Path) -> None:
    (tmp_path / "may.csv").write_text(
        "query,document,passage,count\nLate box,returns.md,,2\nfuel,fuel.md,,1\nlate box,,Late boxes,4\n"
    )
    lines(tmp_path / "june.jsonl", {"query": "late  box", "document": "returns.md", "clicks": 1})
    pairs, refusals = read(tmp_path, min_clicks=3)
    assert pairs == [
        BroughtPair(f"{tmp_path}/june.jsonl:1", "late box", "returns.md", kind="click"),
        BroughtPair(f"{tmp_path}/may.csv:4", "late box", text="Late boxes", kind="click"),
    ]
    assert refusals.messages == [
        f"{tmp_path}/may.csv:3: clicked 1 times, fewer than synthesize.min_clicks, 3"
    ]


def test_bad_rows_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    good = {"document": "returns.md", "quote": "seven days", "queries": [DUE[0]]}
    lines(
        tmp_path / "a.jsonl",
        good,
        "{no json",
        "[1]",
        {**good, "queries": []},
        {**good, "queries": [1]},
        {**good, "pasage": "x"},
        {**good, "passage": "x"},
        {"text": "x"},
        {"query": "x", "document": "a.md", "count": "many"},
    )
    pairs, refusals = read(tmp_path)
    assert [pair.query for pair in pairs] == [DUE[0]]
    assert refusals.counts == {"malformed": 7, "unknown form": 1}
    told = dict(line.split(": ", 1) for line in refusals.messages)
    assert sorted(told) == [f"{tmp_path}/a.jsonl:{number}" for number in range(2, 10)]
    assert told[f"{tmp_path}/a.jsonl:6"].startswith("pasage: Extra inputs are not permitted")
    assert "got both" in told[f"{tmp_path}/a.jsonl:7"]
    assert "found text" in told[f"{tmp_path}/a.jsonl:8"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.xlsx", b"x", "unknown form"),
        ("a.json", b"{", "unknown form"),
        ("a.json", b'{"queries": {"q": 1}}', "unknown form"),
        ("a.parquet", b"x", "malformed"),
        ("a.jsonl", b'{"anchor": "\xff", "positive": "x"}', "malformed"),
        ("a.csv", "anchor,positive\nä,b\n".encode("latin-1"), "malformed"),
        ("a.csv", b"anchor,positive\na,b,c\n", "malformed"),
    ],
)
def test_a_file_that_is_nothing_of_this_is_refused(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    pairs, refusals = read(tmp_path)
    assert not pairs and refusals.counts == {reason: 1}


def test_what_belongs_to_dvc_and_git_is_passed_over(tmp_path: Path) -> None:
    for name in ("README.md", ".gitignore", "a.jsonl.dvc"):
        (tmp_path / name).write_text("x")
    assert read(tmp_path) == ([], Refusals("synthesize"))
    assert read(tmp_path / "missing") == ([], Refusals("synthesize"))
