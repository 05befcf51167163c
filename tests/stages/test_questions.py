from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from argot.core.parquet import read_table, write_table
from argot.queries.refusals import Refused
from argot.tables import chunks, documents, questions
from stages.questions import ChunkSpan, QuotedDocument, main, parse

RETURNS = "# Returns\n\nBoxes come back *within seven days*.\n\nLate boxes cost 40 a day, see [the tariff](t.md#d).\n"
FUEL = "# Fuel\n\nFuel is charged monthly.\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("questions:\n  quote_share: 0.5\n")
    (tmp_path / "data/queries").mkdir(parents=True)
    write_corpus({"returns.md": RETURNS, "copy.md": RETURNS, "fuel.md": FUEL})
    return tmp_path


def write_corpus(texts: dict[str, str]) -> None:
    """Each paragraph is a chunk, named DOCUMENT#POSITION; documents with the same text share a group."""
    rows, cut = [], []
    for name, text in texts.items():
        group = min(other for other in texts if texts[other] == text)
        shared = {"document": name, "title": "", "language": "en", "group": group, "metadata": "{}"}
        rows.append({**shared, "text": text, "format": "markdown", "sha256": ""})
        start = 0
        for position, part in enumerate(text.split("\n\n")[1:]):
            start = text.index(part, start)
            span = {"start": start, "end": start + len(part), "position": position}
            cut.append(
                {**shared, **span, "chunk": f"{name}#{position}", "heading": "", "text": part}
            )
    write_table(documents.PATH, rows, documents.SCHEMA)
    write_table(chunks.PATH, cut, chunks.SCHEMA)


def ask(*lines: dict[str, Any] | str, file: str = "a.jsonl") -> str:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (Path("data/queries") / file).write_text(text + "\n", encoding="utf-8")
    return main()


def rows(split: str = "test") -> list[dict[str, Any]]:
    return read_table(questions.PATHS[split], questions.SCHEMA).to_pylist()


def refused() -> dict[str, int]:
    found = json.loads(Path("data/figures/questions.json").read_text())["refused"]
    assert isinstance(found, dict)
    return found


def question(query: str, document: str, quote: str | None = None, **more: str) -> dict[str, Any]:
    return {"query": query, "relevant": [{"document": document, "quote": quote}], **more}


def test_a_quote_finds_its_passage_and_the_copy_of_it(project: Path) -> None:
    ask(question("when back?", "returns.md", "come back"))
    (row,) = rows()
    assert row["chunks"] == ["returns.md#0", "copy.md#0"]
    assert row["documents"] == ["returns.md", "copy.md"]
    assert (row["cluster"], row["source"]) == ("copy.md", "a.jsonl")


@pytest.mark.parametrize(
    "quote", ["come back within seven days", "LATE  boxes cost 40 a day , see the tariff."]
)
def test_a_quote_may_differ_in_markup_spaces_and_case(project: Path, quote: str) -> None:
    assert "0 refused" in ask(question("q", "returns.md", quote))


def test_letters_inside_a_longer_word_are_no_quote(project: Path) -> None:
    ask(question("q", "fuel.md", "UEL is"))
    assert refused() == {"quote not found": 1}


def test_a_quote_is_not_found_within_a_word_or_number() -> None:
    document = QuotedDocument("d", "After 110 days, or 10 days. Or $10 days", "d", [], ["d"])
    found = [document.text[slice(*span)] for span in document.spans("10 days")]
    assert found == ["10 days", "10 days"]
    assert document.spans("10 days")[0][0] == document.text.index("or 10") + 3


def test_a_quote_over_several_passages(
    project: Path,
) -> None:
    document = QuotedDocument("d", "x" * 100, "d", [], ["d"])
    document.chunks.extend(chunk for chunk in _chunks([(0, 30), (30, 60), (60, 100)]))
    assert document.holding((20, 80), 0.5) == ["1"]
    assert document.holding((25, 35), 0.5) == ["0", "1"]
    assert document.holding((28, 38), 0.5) == ["1"]
    assert document.holding((0, 100), 0.5) == ["2"]


def test_without_a_quote_the_whole_document_answers(project: Path) -> None:
    ask(question("q", "fuel.md"))
    assert rows()[0]["chunks"] == ["fuel.md#0"]


def test_lines_choose_their_split_and_kind(project: Path) -> None:
    line = ask(
        question("a", "fuel.md", split="dev", kind="code"), question("b", "fuel.md", split="train")
    )
    assert line == "1 dev, 1 train; 0 refused"
    assert rows("dev")[0]["kind"] == "code"


def test_a_test_question_is_kept_out_of_train_and_dev(project: Path) -> None:
    ask(question("Fuel, when?", "fuel.md", split="train"), question("fuel when", "fuel.md"))
    assert (len(rows("train")), len(rows("test"))) == (0, 1)
    assert refused() == {"leaking": 1}


def test_lines_in_the_same_words_are_one_question_that_all_their_passages_answer(
    project: Path,
) -> None:
    line = ask(
        question("Fuel, when?", "fuel.md", kind="code"),
        question("how long?", "returns.md", "come back"),
        question("fuel when", "returns.md", "come back"),
    )
    assert line == "2 test; 1 merged into others in the same words; 0 refused"
    first = rows()[0]
    assert (first["query"], first["kind"]) == ("Fuel, when?", "code")
    assert first["chunks"] == ["fuel.md#0", "returns.md#0", "copy.md#0"]


def test_a_question_that_nothing_answers_has_a_table_of_its_own(project: Path) -> None:
    nothing: dict[str, Any] = {"query": "who sells boats?", "relevant": []}
    line = ask(nothing, question("when?", "fuel.md"), {**nothing, "query": "when"})
    assert line == "1 test, 1 unanswered; 1 refused (1 leaking)"
    (row,) = rows(questions.UNANSWERED)
    assert (row["query"], row["chunks"], row["cluster"]) == ("who sells boats?", [], "")


def test_what_is_wrong_is_counted_and_told_with_its_place(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = question("good", "fuel.md")
    (project / "data/queries/notes.txt").write_text("x")
    line = ask(
        good,
        good,
        '{"query": ',
        "[1]",
        "",
        question("typo", "fuel.md", splt="dev"),
        question("nowhere", "absent.md"),
        question("misquoted", "fuel.md", "fuel is free"),
        question("heading", "fuel.md", "# Fuel"),
    )
    assert line.startswith("1 test; 1 merged into others in the same words; 7 refused")
    assert refused() == {
        "malformed": 3, "not .jsonl": 1, "quote in no passage": 1, "quote not found": 1,
        "unknown document": 1,
    }  # fmt: skip
    told = capsys.readouterr().err
    assert "data/queries/a.jsonl:6: splt: Extra inputs" in told
    assert "data/queries/a.jsonl:8: 'fuel is free' is not in fuel.md" in told


def test_a_line_that_is_not_utf8_is_refused_alone(project: Path) -> None:
    good = json.dumps(question("q", "fuel.md")).encode()
    (project / "data/queries/a.jsonl").write_bytes(
        b"\xef\xbb\xbf" + good + b'\r\n{"query": "caf\xe9"}\r\n'
    )
    assert main() == "1 test; 1 refused (1 malformed)"


def test_no_questions_at_all_give_empty_tables(project: Path) -> None:
    assert main() == "no questions; 0 refused"
    assert [len(rows(table)) for table in questions.PATHS] == [0, 0, 0, 0]


def test_editing_a_test_question_leaves_the_train_table_as_it_is(project: Path) -> None:
    kept = question("kept", "fuel.md", split="train")
    ask(question("a", "returns.md"), kept)
    before = questions.PATHS["train"].read_bytes()
    ask(question("b", "returns.md"), question("c", "returns.md"), kept)
    assert questions.PATHS["train"].read_bytes() == before


def test_a_line_needs_a_query_and_a_document() -> None:
    for raw in (
        b'{"query": " ", "relevant": [{"document": "a"}]}',
        b'{"query": "a"}',
    ):
        with pytest.raises(Refused, match="known keys"):
            parse(raw)


def test_a_question_whose_passages_were_all_dropped_is_refused(project: Path) -> None:
    write_corpus({"returns.md": RETURNS, "stub.md": "# Stub"})
    ask(question("what is in the stub?", "stub.md"), question("how long?", "returns.md"))
    assert refused() == {"no passage": 1}
    assert [row["query"] for row in rows()] == ["how long?"]


def test_a_number_too_long_to_read_is_refused_in_one_line(project: Path) -> None:
    ask(f'{{"query": {"9" * 5000}}}')
    assert refused() == {"malformed": 1}


def test_a_document_without_a_passage_is_answered_by_its_copy(project: Path) -> None:
    write_corpus({"copy.md": RETURNS, "stub.md": "# Stub"})
    table = read_table(documents.PATH, documents.SCHEMA).to_pylist()
    write_table(documents.PATH, [{**row, "group": "copy.md"} for row in table], documents.SCHEMA)
    ask(question("how long?", "stub.md"))
    assert rows()[0]["documents"] == ["copy.md"]


def test_what_looks_the_same_is_the_same(project: Path) -> None:
    name = "re\u0301sume\u0301.md"  # é as two characters, as macOS writes it
    write_corpus({name: "# Offices\n\nThe office in Zürich is first to confirm.\n"})
    quote = "office in Zu\u0308rich is \ufb01rst to con\ufb01rm"
    for document in (name, "r\u00e9sum\u00e9.md"):
        ask(question("which office is \ufb01rst?", document, quote))
        assert refused() == {}
        assert rows()[0]["chunks"] == [f"{name}#0"]
        assert rows()[0]["query"] == "which office is first?"
    ask(question("u\u0308?", name, quote), question("\u00fc?", name, quote))
    assert (refused(), len(rows())) == ({}, 1)


@pytest.mark.parametrize("key", ["query", "kind", "document", "quote"])
def test_half_a_character_is_refused_in_one_line(project: Path, key: str) -> None:
    line = {
        "query": "how long?",
        "kind": "x",
        "relevant": [{"document": "fuel.md", "quote": "Fuel"}],
    }
    place = line if key in line else line["relevant"][0]  # type: ignore[index]
    place[key] += "\ud800"  # type: ignore[index]
    ask(json.dumps(line))
    assert sum(refused().values()) == 1


def _chunks(spans: list[tuple[int, int]]) -> list[ChunkSpan]:
    return [ChunkSpan(str(place), start, end) for place, (start, end) in enumerate(spans)]


def many(count: int, documents: int = 40, **more: str) -> list[dict[str, Any]]:
    """Questions about so many documents in turn, each document being of a group of its own."""
    write_corpus({f"{n:03}.md": f"# Page {n}\n\nText of page {n}.\n" for n in range(documents)})
    return [question(f"question {n}", f"{n % documents:03}.md", **more) for n in range(count)]


def test_a_fifth_of_the_documents_questions_chooses_weights(project: Path) -> None:
    told = ask(*many(200))
    dev, test = rows("dev"), rows("test")
    assert len(dev) + len(test) == 200 and 20 <= len(dev) <= 60
    assert not {row["cluster"] for row in dev} & {row["cluster"] for row in test}
    assert json.loads(Path("data/figures/questions.json").read_text())["spared_for_dev"] == len(dev)
    assert f"{len(dev)} dev" in told


def test_more_questions_move_none_to_another_side(project: Path) -> None:
    ask(*many(160))
    before = {row["query"]: "dev" for row in rows("dev")} | {row["query"]: "test" for row in rows()}
    ask(*many(320, documents=80))
    after = {row["cluster"]: "dev" for row in rows("dev")} | {
        row["cluster"]: "test" for row in rows()
    }
    ask(*many(160))
    assert {row["cluster"] for row in rows("dev")} <= {
        group for group in after if after[group] == "dev"
    }
    assert len(before) == 160


def test_few_questions_or_marked_ones_are_left_as_they_are(project: Path) -> None:
    ask(*many(124))
    assert len(rows("test")) == 124
    ask(*many(200)[:-1], question("marked", "000.md", split="dev"))
    assert (len(rows("dev")), len(rows("test"))) == (1, 199)


def test_questions_about_few_documents_are_all_test_questions(project: Path) -> None:
    ask(*many(200, documents=2))
    assert len(rows("dev")) in (0, *range(20, 81))
