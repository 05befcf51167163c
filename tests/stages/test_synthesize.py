from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from argot.core.parquet import read_table, write_table
from argot.queries.splits import split_of
from argot.tables import chunks, pairs, questions
from stages import lexical
from stages.synthesize import copies, main

REPOSITORY = Path(__file__).parents[2]
TOPICS = [
    "pump",
    "valve",
    "flange",
    "gasket",
    "rotor",
    "bearing",
    "nozzle",
    "sensor",
    "boiler",
    "filter",
    "turbine",
    "fan",
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    write_params({name: params[name] for name in ("lexical", "synthesize", "machine", "spend")})
    write_questions([])
    return tmp_path


def write_params(content: dict[str, Any], **changed: Any) -> None:
    content["synthesize"].update(changed)
    Path("params.yaml").write_text(yaml.safe_dump(content))


def change(**changed: Any) -> None:

    write_params(yaml.safe_load(Path("params.yaml").read_text()), **changed)


def passages(topic: str) -> list[tuple[str, str]]:
    """Heading and text of the passages of one document."""
    return [
        (
            f"The {topic}",
            f"The {topic} is a part of machine {topic}-7. You must oil the {topic} within 9 working days.",
        ),
        (
            f"The {topic} > Cleaning the {topic}",
            f"If you drop the {topic} in acid, its coat of {topic}ite will dissolve soon.",
        ),
        (
            f"The {topic} > Can I paint the {topic}?",
            f"Yes. Grey {topic} paint, as used on ships, sticks best to it when dry.",
        ),
    ]


def write_chunks(topics: list[str]) -> None:
    rows = [
        {
            "chunk": f"{topic}{position}", "document": f"{topic}.md", "group": f"{topic}.md", "position": position,
            "title": f"The {topic}", "heading": heading, "text": text, "start": 1000 * position,
            "end": 1000 * position + len(text), "language": "en", "metadata": "{}",
        }
        for topic in topics
        for position, (heading, text) in enumerate(passages(topic))
    ]  # fmt: skip
    write_table(chunks.PATH, rows, chunks.SCHEMA)
    lexical.main()


def write_questions(rows: list[dict[str, Any]]) -> None:
    write_table(questions.PATHS["train"], rows, questions.SCHEMA)


def made(split: str = "train") -> list[dict[str, Any]]:
    return read_table(pairs.PATHS[split], pairs.SCHEMA).to_pylist()


def figures() -> dict[str, Any]:
    found = json.loads(Path("data/figures/synthesize.json").read_text())
    assert isinstance(found, dict)
    return found


def test_each_source_gives_pairs_that_point_at_their_passage(project: Path) -> None:
    write_chunks(TOPICS)
    line = main()
    assert line.startswith("36 passages → ")
    rows = made()
    assert {"faq", "heading", "question", "statement", "keywords"} <= {
        row["source"] for row in rows
    }
    by_source = {(row["source"], row["chunk"]): row for row in rows}
    asked = by_source["faq", "valve2"]
    assert asked["query"] == "Can I paint the valve?"
    assert (asked["document"], asked["start"], asked["end"]) == ("valve.md", 2000, 2000)


def test_the_same_input_gives_the_same_bytes(project: Path) -> None:
    write_chunks(TOPICS)
    main()
    before = {path: path.read_bytes() for path in pairs.PATHS.values()}
    main()
    assert {path: path.read_bytes() for path in pairs.PATHS.values()} == before


def test_documents_stand_on_the_side_that_their_group_says(project: Path) -> None:
    write_chunks(TOPICS)
    change(dev_share=0.3, test_share=0.3)
    main()
    for split in pairs.PATHS:
        assert {split_of(row["document"], 0.3, 0.3) for row in made(split)} <= {split}
    assert {row["source"] for row in made("test")} <= {
        "faq",
        "question",
        "statement",
        "sentence",
        "keywords",
    }


def test_another_document_does_not_reshuffle_the_others(project: Path) -> None:
    write_chunks(TOPICS[:-1])
    main()
    before = {row["pair"] for split in pairs.PATHS for row in made(split)}
    write_chunks(TOPICS)
    main()
    after = {
        row["pair"]
        for split in pairs.PATHS
        for row in made(split)
        if not row["chunk"].startswith(TOPICS[-1])
    }
    assert len(before & after) > 0.8 * len(before)


def test_a_large_corpus_is_sampled(project: Path) -> None:
    """At most `max_passages` passages get queries, and the stage's line says so."""
    write_chunks(TOPICS[:-1])
    change(max_passages=10)
    sources = yaml.safe_load(Path("params.yaml").read_text())["synthesize"]["queries"]
    change(
        queries={**sources, "bm25": 0.0}
    )  # which asks for another passage than that it is made of
    assert main().startswith(f"10 of {3 * len(TOPICS[:-1])} passages → ")
    before = {row["chunk"] for split in pairs.PATHS for row in made(split)}
    assert 5 <= len(before) <= 10
    assert (figures()["drawn"], figures()["passages"]) == (10, 3 * len(TOPICS[:-1]))
    write_chunks(TOPICS)
    main()
    after = {row["chunk"] for split in pairs.PATHS for row in made(split)}
    assert len(before - after) <= 3, "a new document takes the places of a few"


def test_a_source_can_be_turned_off(project: Path) -> None:
    write_chunks(TOPICS)
    content = yaml.safe_load(Path("params.yaml").read_text())["synthesize"]["queries"]
    change(queries={**content, "keywords": 0.0}, dev_share=0.0, test_share=0.0)
    main()
    sources = {row["source"] for row in made()}
    assert "statement" in sources and "keywords" not in sources


def test_the_same_query_for_two_documents_is_dropped(project: Path) -> None:
    write_chunks(TOPICS)
    table = read_table(chunks.PATH, chunks.SCHEMA).to_pylist()
    for row in table:
        row["heading"] = (
            row["heading"]
            .replace("Cleaning the pump", "Safe cleaning")
            .replace("Cleaning the fan", "Safe cleaning")
        )
        row["title"] = ""
    write_table(chunks.PATH, table, chunks.SCHEMA)
    lexical.main()
    main()
    assert figures()["dropped"]["heading"]["ambiguous"] == 2


def test_the_round_trip_filters_training_pairs_only(project: Path) -> None:
    write_chunks(TOPICS)
    table = read_table(chunks.PATH, chunks.SCHEMA).to_pylist()
    for row in table:  # the same words everywhere: no query finds its passage first
        row["text"] = f"{row['text']} {' '.join(TOPICS * 3)}"
    write_table(chunks.PATH, table, chunks.SCHEMA)
    lexical.main()
    change(round_trip=0, dev_share=0.3, test_share=0.3)
    main()
    free = {split: {row["pair"] for row in made(split)} for split in pairs.PATHS}
    change(round_trip=1)
    main()
    assert {row["pair"] for row in made("train")} < free["train"]
    assert {row["pair"] for row in made("dev")} == free["dev"]
    assert {row["pair"] for row in made("test")} == free["test"]


def test_real_training_questions_become_pairs(project: Path) -> None:
    write_chunks(TOPICS)
    asked = {
        "question": "q1",
        "query": "why is it grey",
        "kind": "",
        "documents": ["fan.md"],
        "cluster": "fan.md",
        "source": "a",
    }
    write_questions([{**asked, "chunks": ["fan0", "fan2"]}])
    change(real_passages=1)
    main()
    real = [row for row in made() if row["source"] == "real"]
    assert [(row["query"], row["chunk"], row["trusted"]) for row in real] == [
        ("why is it grey", "fan2", True)
    ]


def test_one_document_alone_is_enough(project: Path) -> None:
    write_chunks(["pump"])
    main()
    assert sum(len(made(split)) for split in pairs.PATHS) > 3


def test_a_copy_is_a_long_run_of_the_passage() -> None:
    text = "The consignee named on the delivery order\npays detention for every day."
    assert copies("what consignee named on the delivery order pays", text, 0.8)
    assert not copies("who named on the order pays for detention a day", text, 0.8)
    assert not copies("delivery order", text, 0.8)


def bring(*rows: dict[str, Any]) -> None:
    Path("data/own-pairs").mkdir(parents=True, exist_ok=True)
    written = "".join(f"{json.dumps(row)}\n" for row in rows)
    Path("data/own-pairs/a.jsonl").write_text(written)


def test_pairs_that_are_brought_along_are_trusted_and_no_filter_drops_them(project: Path) -> None:
    write_chunks(TOPICS)
    change(round_trip=1, dev_share=0.0, test_share=0.0)
    copied = passages("fan")[0][1]
    other = "why does nobody ever go there?"  # no word of the passage
    bring(
        {"document": "fan.md", "passage": copied, "queries": [other, copied, "fan"]},
        {"quote": "coat of pumpite", "queries": [{"query": other, "type": "scenario"}]},
        {"document": "valve.md", "queries": ["grey paint"]},
    )
    line = main()
    assert line.endswith("; 5 pairs brought along, 0 refused")
    own = [row for row in made() if row["source"].startswith("own")]
    assert [(row["query"], row["chunk"], row["source"]) for row in own] == [
        (other, "fan0", "own"),
        (copied, "fan0", "own"),
        ("fan", "fan0", "own"),
        (other, "pump1", "own:scenario"),
        ("grey paint", "valve2", "own"),
    ]
    assert {row["source"] for row in made() if row["trusted"]} == {"own", "own:scenario"}
    assert (own[1]["document"], own[1]["start"], own[1]["end"]) == ("fan.md", 0, len(copied))


def test_brought_pairs_keep_to_the_splits_of_their_documents(project: Path) -> None:
    write_chunks(TOPICS)
    change(dev_share=0.3, test_share=0.3)
    bring(*({"document": f"{topic}.md", "queries": [f"about {topic}"]} for topic in TOPICS))
    main()
    for split in pairs.PATHS:
        found = {row["document"] for row in made(split) if row["source"] == "own"}
        expected = {f"{topic}.md" for topic in TOPICS}
        assert found == {name for name in expected if split_of(name, 0.3, 0.3) == split}


def test_brought_rows_that_are_refused_are_named_and_counted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_chunks(TOPICS)
    bring(
        {"quote": "is a part of machine fan-7", "queries": ["what is it?", "what is it?", "?!"]},
        {"document": "gone.md", "queries": ["where?"]},
        {"quote": "green", "queries": ["which color?"]},
        {"document": "fan.md", "queries": []},
    )
    assert "1 pair brought along, 5 refused (2 malformed, 1 repeated" in main()
    counts = {"repeated": 1, "unknown document": 1, "text not found": 1, "malformed": 2}
    assert (figures()["brought"], figures()["refused"]) == (1, counts)
    told = capsys.readouterr().err
    assert "synthesize: refused: data/own-pairs/a.jsonl:3: 'green' is not in any document" in told


def test_without_brought_pairs_nothing_changes(project: Path) -> None:
    write_chunks(TOPICS)
    line = main()
    before = {path: path.read_bytes() for path in pairs.PATHS.values()}
    bring()
    Path("data/own-pairs/README.md").write_text("x")
    assert main() == line
    assert {path: path.read_bytes() for path in pairs.PATHS.values()} == before
    assert not any(row["trusted"] for row in made())
