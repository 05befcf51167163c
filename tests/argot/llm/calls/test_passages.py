from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from argot.core.parquet import read_table, write_table
from argot.documents.spans import Text
from argot.llm.calls.passages import masked_texts
from argot.llm.calls.redact import redact
from argot.tables import chunks
from argot.tables.chunks import Corpus
from stages.chunk import ChunkSettings, cut, name
from tests.argot.llm.calls.leaks import PEM

LINES = [PEM[n:] + PEM[:n] for n in range(0, 52, 2)]
KEY = "\n".join(
    ["-----BEGIN RSA PRIVATE KEY-----", *LINES, "Zq3==", "-----END RSA PRIVATE KEY-----"]
)


def corpus(folder: Path, *texts: str, words: int = 16) -> Corpus:
    """Documents, cut as the stage cuts them into passages of so many words."""
    settings = ChunkSettings(max_words=words, overlap_words=0, min_words=1)
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        document = {
            "document": f"d{number}.md",
            "group": f"d{number}.md",
            "title": "T",
            "text": text,
            "pages": None,
        }
        passages, _ = cut(Text(text, "en"), "T", settings)
        rows += name({**document, "language": "en", "metadata": "{}"}, passages)
    write_table(folder / chunks.PATH, rows, chunks.SCHEMA)
    return Corpus(folder / chunks.PATH)


@pytest.mark.parametrize("prefix", ["", "    ", "> "], ids=["plain", "code", "quote"])
@pytest.mark.parametrize("words", [8, 16, 40])
def test_no_part_of_a_key_that_was_cut_is_left(tmp_path: Path, prefix: str, words: int) -> None:
    quoted = "\n".join(prefix + line for line in KEY.splitlines())
    whole = f"# Hosts\n\nUse the key below to log in.\n\n{quoted}\n\nThen call the desk at noon."
    found = corpus(tmp_path, whole, words=words)
    sent = "\n".join(masked_texts(found, found.ids).values())
    assert len(found.ids) > 2
    assert not [line for line in [*LINES, "Zq3"] if line[:12] in sent]
    assert "Use the key below to log in." in sent and "call the desk at noon." in sent


def test_a_value_that_was_cut_off_from_its_name_is_masked(tmp_path: Path) -> None:
    text = "The login of the gate is admin and its wording follows, then the password:\n\nKelpAnchor9 opens it for all who work there by night."
    found = corpus(tmp_path, text, words=14)
    texts = masked_texts(found, found.ids)
    assert len(texts) > 1
    assert any("KelpAnchor9" in redact(text).text for text in found.texts)  # alone
    assert not any("KelpAnchor9" in text for text in texts.values())


def test_a_repeated_header_is_masked_and_moves_nothing(tmp_path: Path) -> None:
    rows = "\n".join(f"| pump {n} | jan{n}@example.org | in hall {n} |" for n in range(12))
    found = corpus(tmp_path, f"| part | ask eve@example.org | place |\n|---|---|---|\n{rows}")
    texts = masked_texts(found, found.ids)
    assert len(texts) > 2
    for id, text in zip(found.ids, found.texts, strict=True):
        assert texts[id] == redact(text).text


def test_passages_without_secrets_are_what_they_were(tmp_path: Path) -> None:
    text = "\n\n".join(
        f"## Part {n}\n\nOil the pump {n} within 9 working days. It is grey." for n in range(9)
    )
    found = corpus(tmp_path, text, f"{text}\n\nMail jan@example.org.")
    before = dict(zip(found.ids, found.texts, strict=True))
    texts = masked_texts(found, found.ids)
    assert [id for id in texts if texts[id] != before[id]] == [
        id for id in before if "jan@" in before[id]
    ]
    some = found.ids[2:4]
    assert masked_texts(found, some) == {id: texts[id] for id in some}


def test_nothing_is_read_but_the_table_of_passages(tmp_path: Path) -> None:
    found = corpus(tmp_path, "Oil the pump.")
    assert read_table(found.path, chunks.SCHEMA).num_rows == 1
    assert list(masked_texts(found, found.ids).values()) == ["Oil the pump."]
    assert masked_texts(found, []) == {}
