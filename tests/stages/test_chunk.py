"""What passages hold, and where they are cut."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from argot.core.parquet import write_table
from argot.documents.spans import Text
from argot.documents.words import count_words
from argot.errors import InputError
from argot.tables import documents
from stages import chunk
from stages.chunk import ChunkSettings, cut, name

ROOT = Path(__file__).parents[2]
GUIDE = """# Returns

Goods may be sent back within 30 days.

## Damaged goods

- Take a photo of the crate.
- Write the claim number on it.

## Refunds

### By card

Money is back in 5 working days. Weekends don't count! Ask the cashier when it takes longer.

```
helm refund --job 4711

helm close --job 4711
```

| Port | Fee |
| --- | --- |
| RTM | 45 |
| SIN | 60 |
"""


def rows(
    text: str, title: str = "", language: str = "en", **limits: int
) -> list[dict[str, object]]:
    settings = ChunkSettings(**{"max_words": 128, "overlap_words": 0, "min_words": 1} | limits)
    document: dict[str, Any] = dict.fromkeys(("document", "group", "metadata"), "x")
    document |= {"title": title, "language": language, "text": text, "pages": None}
    return list(name(document, cut(Text(text, language), title, settings)[0]))


def test_a_passage_has_the_page_that_it_starts_on() -> None:
    text = "# A\n\nOne two.\n\n# B\n\nThree four.\n\n# C\n\nFive six."
    settings = ChunkSettings(max_words=8, overlap_words=0, min_words=1)
    document = dict.fromkeys(("document", "group", "metadata"), "x")
    document |= {"title": "", "language": "en", "text": text}
    passages = cut(Text(text, "en"), "", settings)[0]

    def pages(starts: list[int] | None) -> list[object]:
        return [row["page"] for row in name({**document, "pages": starts}, passages)]

    three = text.index("Three")
    assert pages([0, three, len(text)]) == [1, 2, 2]
    assert pages([0, three + 1, three + 1]) == [1, 1, 3]
    assert pages(None) == [None] * 3


def texts(text: str, **limits: int) -> list[str]:
    return [str(row["text"]) for row in rows(text, **limits)]


def test_headings_become_paths_below_the_title() -> None:
    assert [row["heading"] for row in rows(GUIDE, title="Handbook")] == [
        "Handbook > Returns",
        "Handbook > Returns > Damaged goods",
        "Handbook > Returns > Refunds > By card",
    ]


def test_a_title_that_is_the_first_heading_stands_once() -> None:
    assert rows(GUIDE, title="Returns")[0]["heading"] == "Returns"


def test_headings_lose_their_marks() -> None:
    assert (
        rows("# The **bold** [way](http://x) `now` ##\n\nText.\n")[0]["heading"]
        == "The bold way now"
    )
    assert rows("Fees\n----\n\n45 dollars\n")[0]["heading"] == "Fees"


@pytest.mark.parametrize("max_words", [8, 12, 20, 128])
@pytest.mark.parametrize("overlap", [0, 3])
def test_every_passage_is_a_run_of_its_document_within_the_limit(
    max_words: int, overlap: int
) -> None:
    for row in rows(GUIDE, max_words=max_words, overlap_words=overlap):
        text = str(row["text"])
        assert text == text.strip() != ""
        assert count_words(text) <= max_words
        assert GUIDE[row["start"] : row["end"]] in (
            text,
            text.removeprefix("| Port | Fee |\n| --- | --- |\n"),
        )


@pytest.mark.parametrize("max_words", [8, 12, 20, 128])
def test_no_word_is_lost(max_words: int) -> None:
    held = {
        number
        for row in rows(GUIDE, max_words=max_words)
        for number in range(row["start"], row["end"])
    }
    lost = "".join(letter for number, letter in enumerate(GUIDE) if number not in held)
    assert [line for line in lost.split("\n") if line.strip() and not line.startswith("#")] == []


def test_lists_tables_and_code_stay_whole_where_they_fit() -> None:
    cut_up = texts(GUIDE, max_words=20)
    assert "- Take a photo of the crate.\n- Write the claim number on it." in cut_up
    assert any(
        "```\nhelm refund --job 4711\n\nhelm close --job 4711\n```" in text for text in cut_up
    )
    assert any("| RTM | 45 |\n| SIN | 60 |" in text for text in cut_up)


def test_a_list_is_cut_between_its_items() -> None:
    items = [f"- Step {number}: lower the boom and lock wheel {number}." for number in range(9)]
    assert all(text.startswith("- Step") for text in texts("\n".join(items), max_words=24))


def test_a_table_is_cut_between_rows_and_each_part_has_its_header() -> None:
    header = "| Port | Fee |\n| --- | --- |\n"
    table = header + "".join(
        f"| Port number {number} | {number} dollars |\n" for number in range(40)
    )
    parts = rows(table, max_words=32)
    assert len(parts) > 3
    for part in parts:
        text = str(part["text"])
        assert text.startswith(header) and text.count("| Port |") == 1
        assert text.endswith(table[part["start"] : part["end"]])
        assert count_words(text) <= 32


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Dr. Smith paid 3.5 million on Friday.",
                " He left for St. Johns at 5 p.m. today.",
                " See Fig. 3!",
            ],
        ),
        ("de", ["Das kostet z. B. 3,5 Mio. Euro.", " Am 3. Mai kam Dr. Müller an.", " Er ging."]),
        ("zh", ["大风时起重机停止。", "费用为每件五元！"]),
        ("ja", ["料金は五百円です。", "明日は休みです。"]),
    ],
)
def test_paragraphs_are_cut_between_sentences(language: str, sentences: list[str]) -> None:
    cut_up = [str(row["text"]) for row in rows("".join(sentences), language=language, max_words=9)]
    assert cut_up[0] == sentences[0]
    assert cut_up[1].startswith(sentences[1].strip())


def test_a_sentence_too_long_is_cut_between_words() -> None:
    assert texts("word " * 100, max_words=40) == [
        "word " * 39 + "word",
        "word " * 39 + "word",
        "word " * 19 + "word",
    ]


def test_a_blob_without_spaces_is_cut_too() -> None:
    assert max(len(text) for text in texts("x" * 5000, max_words=16)) <= 16 * 24


def test_overlap_repeats_the_words_before() -> None:
    first, second = texts(
        "One two three four five six. Seven eight nine ten eleven.", max_words=8, overlap_words=3
    )
    assert first == "One two three four five six."
    assert second == "four five six. Seven eight nine ten eleven."


def test_a_heading_without_text_joins_its_neighbour() -> None:
    text = "# Fees\n\nA berth costs 45 a day.\n\n## To be written\n\n## Cranes\n\nA crane costs 90 a day.\n"
    assert texts(text, min_words=5) == [
        "A berth costs 45 a day.\n\n## To be written",
        "A crane costs 90 a day.",
    ]


def test_a_short_answer_stands_under_its_question() -> None:
    assert rows("# Visa\n\n## Do I need a visa?\n\nYes.\n", min_words=5)[0]["text"] == "Yes."


def test_stubs_are_counted() -> None:
    settings = ChunkSettings(max_words=128, overlap_words=0, min_words=5)
    assert cut(Text("# Only a heading\n", "en"), "", settings) == ([], 1)
    assert cut(Text("", "en"), "", settings) == ([], 0)


def test_ids_differ_for_repeated_passages_and_stay_for_the_same() -> None:
    text = "# A\n\nsame words\n\n# A\n\nsame words\n"
    assert rows(text) == rows(text)
    assert len({row["chunk"] for row in rows(text)}) == 2


def strange(seed: int) -> str:
    """Pieces of Markdown in an order no author would choose."""
    chance = random.Random(seed)
    parts = [
        "# A\n",
        "## B ##\n",
        "####### no\n",
        "- x\n",
        "  - y\n",
        "1. z\n",
        "\n",
        "\n\n",
        "```\n",
        "~~~\n",
    ]
    parts += [
        "| a | b |\n",
        "|---|---|\n",
        "---\n",
        "===\n",
        "> q\n",
        "word. ",
        "字。",
        "\t",
        "x" * 90,
        "\u3000",
        "*",
    ]
    return "".join(chance.choice(parts) for _ in range(120))


@pytest.mark.parametrize("seed", range(40))
def test_strange_markdown_keeps_all_promises(seed: int) -> None:
    text = strange(seed)
    for row in rows(text, max_words=12, overlap_words=seed % 3):
        assert str(row["text"]).endswith(text[row["start"] : row["end"]])
        assert count_words(str(row["text"])) <= 12
        assert row["text"]


def hostile() -> Iterator[str]:
    yield "# " * 400_000
    yield "- a\n\n" * 100_000
    yield "```\n" * 100_001
    yield "| a |\n" * 100_000
    yield "a. " * 300_000
    yield "*" * 800_000
    yield "[" * 300_000 + "\n"
    yield "#" + " " * 400_000 + "x\n" + "\n" * 400_000
    yield "x" * 900_000
    yield "# h\n\n" * 50_000


@pytest.mark.parametrize("text", list(hostile()), ids=lambda text: text[:4].strip())
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    started = time.process_time()
    rows(text)
    assert time.process_time() - started < 8


def test_the_stage_names_documents_without_passages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    column: dict[str, Any] = dict.fromkeys(documents.SCHEMA.names, "")
    column |= {"metadata": "{}", "language": "en", "pages": None}
    table = [
        column | {"document": "a.md", "text": GUIDE},
        column | {"document": "b.md", "text": "# Hm"},
    ]
    write_table(documents.PATH, table, documents.SCHEMA)
    assert chunk.main() == "2 documents → 3 passages; 1 stub dropped; 1 document without a passage"
    figures = json.loads(Path("data/figures/chunk.json").read_text())
    assert figures["without_chunks"] == ["b.md"]
    assert figures["chunks"] == 3 == len(pq.read_table("data/chunks.parquet"))
    write_table(documents.PATH, table[1:], documents.SCHEMA)
    with pytest.raises(InputError, match="no document holds a passage"):
        chunk.main()
