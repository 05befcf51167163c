"""Conversion of public corpora, on small ones of the same form; nothing is fetched from the network."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from argot.errors import InputError
from tools import corpora

TEXT = "Wharf hours. The wharf opens at six. Late boats. Late boats pay double. "


def span(id: str, section: str, title: str, text: str) -> dict[str, Any]:
    start = TEXT.index(text)
    place = {"id_sp": id, "start_sp": start, "end_sp": start + len(text), "text_sp": text}
    return {**place, "id_sec": section, "title": title, "text_sec": text}


def archive() -> bytes:
    spans = {
        "1": span("1", "t1", "Wharf hours", "Wharf hours. "),
        "2": span("2", "2", "Wharf hours", "The wharf opens at six. "),
        "3": span("3", "t3", "Late boats", "Late boats. "),
        "4": span("4", "4", "Late boats", "Late boats pay double. "),
    }
    page = {"title": "The wharf", "doc_text": TEXT, "spans": spans}
    replied = {
        "role": "agent",
        "da": "respond_solution",
        "references": [{"sp_id": "4", "label": "solution"}],
    }
    turns = [
        {"role": "user", "da": "query_condition", "utterance": "What do I pay?", "references": []},
        replied,
    ]
    unanswered = [turns[0], {**replied, "da": "query_condition"}]
    dialogues = [
        {"turns": turns},
        {"turns": unanswered},
        {"turns": [{**turns[0], "utterance": "what do I  pay?"}, replied]},
    ]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(
            "v1/doc2dial_doc.json", json.dumps({"doc_data": {"port": {"Wharf/../x#1_0": page}}})
        )
        file.writestr(
            "v1/doc2dial_dial_validation.json",
            json.dumps({"dial_data": {"port": {"Wharf/../x#1_0": dialogues}}}),
        )
    return content.getvalue()


def test_a_dialogue_gives_its_first_question_with_the_words_that_answer_it(tmp_path: Path) -> None:
    corpus = corpora.doc2dial(archive())
    assert corpus.questions == [
        {
            "query": "What do I pay?",
            "relevant": [{"document": "port/wharf-x-1-0.md", "quote": "Late boats pay double."}],
        }
    ]
    text = corpus.documents["port/wharf-x-1-0.md"]
    assert text.startswith("# The wharf\n\n## Wharf hours\n")
    assert text.count("The wharf opens at six.") == 1 and "## Late boats" in text
    assert corpora.write(corpus, tmp_path).startswith("1 documents, 1 questions")
    assert (tmp_path / "raw/port/wharf-x-1-0.md").read_text(encoding="utf-8") == text


def test_every_quote_stands_in_its_document() -> None:
    corpus = corpora.doc2dial(archive())
    places = [place for question in corpus.questions for place in question["relevant"]]
    assert all(place["quote"] in corpus.documents[place["document"]] for place in places)


def test_an_article_gives_its_questions_with_their_answers() -> None:
    asked = {
        "question": "How long?",
        "answers": [{"text": " 31 kb ", "answer_start": 9}, {"text": "31 kb"}],
    }
    paragraph = {
        "context": "It spans 31 kb in all.",
        "document_id": 7,
        "qas": [asked, {"question": "Why?", "answers": []}],
    }
    corpus = corpora.covid_qa(json.dumps({"data": [{"paragraphs": [paragraph]}]}).encode())
    assert corpus.documents == {"article-7.txt": "It spans 31 kb in all."}
    assert corpus.questions == [
        {"query": "How long?", "relevant": [{"document": "article-7.txt", "quote": "31 kb"}]}
    ]


def test_a_download_is_kept_and_must_stay_what_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    source.write_bytes(b"{}")
    assert corpora.download(source.as_uri(), tmp_path / "kept") == b"{}"
    source.write_bytes(b"[]")
    assert corpora.download(source.as_uri(), tmp_path / "kept") == b"{}"
    (tmp_path / "kept/source.json").unlink()
    with pytest.raises(InputError, match=r"SHA-256 is .* not what source\.json\.sha256 says"):
        corpora.download(source.as_uri(), tmp_path / "kept")


@pytest.mark.parametrize("name", ["raw/mine.md", "raw/a.md", "queries/questions.jsonl"])
def test_documents_and_questions_of_somebody_stay(tmp_path: Path, name: str) -> None:
    corpus = corpora.Corpus({"a.md": "A text.\n"}, [{"query": "what?"}])
    corpora.write(corpus, tmp_path)
    corpora.write(corpus, tmp_path)
    (tmp_path / name).write_text("my only copy")
    with pytest.raises(InputError, match="is not of this corpus"):
        corpora.write(corpus, tmp_path)
    assert (tmp_path / name).read_text() == "my only copy"
