"""Fetch public documents with people's own questions, in the form that Argot takes.

    python -m tools.corpora doc2dial ../corpora/government
    python -m tools.corpora covid-qa ../corpora/biomed
    python -m tools.workspace ../corpora/government

FOLDER gets `raw/` and `queries/questions.jsonl`. What was downloaded stays beside them with its
SHA-256: the publishers tell none, so the first download is believed, and a later one that differs
from it is refused.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from argot.core.files import replacing, replacing_folder, sha256
from argot.errors import ArgotError, InputError

# Song Feng et al., EMNLP 2020; the dataset's card says CC BY 3.0.
DOC2DIAL = "https://doc2dial.github.io/file/doc2dial_v1.0.1.zip"
# Möller et al., NLP-COVID 2020; Apache 2.0, articles CC BY.
COVID_QA = "https://raw.githubusercontent.com/deepset-ai/COVID-QA/master/data/question-answering/COVID-QA.json"


class Corpus(NamedTuple):
    """Documents by file name, and questions as lines of data/queries."""

    documents: dict[str, str]
    questions: list[dict[str, Any]]


def download(address: str, folder: Path) -> bytes:
    """The bytes at an address, kept in `folder`; InputError if the first download differed."""
    kept = folder / address.rsplit("/", 1)[1]
    digest = kept.with_name(f"{kept.name}.sha256")
    if not kept.exists():
        answer = urllib.request.urlopen(address, timeout=120)
        with answer, replacing(kept) as beside, beside.open("wb") as file:
            shutil.copyfileobj(answer, file)
    found = sha256(kept)
    if not digest.exists():
        digest.write_text(f"{found}  {kept.name}\n", encoding="utf-8")
    if digest.read_text(encoding="utf-8").split()[0] != found:
        raise InputError(
            f"{kept}: SHA-256 is {found}, not what {digest.name} says; remove it and fetch it again"
        )
    print(f"{kept}: SHA-256 {found}", file=sys.stderr)
    return kept.read_bytes()


def doc2dial(content: bytes) -> Corpus:
    """Pages of public services; each dialogue's first question, and the spans that answer it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        tables = {Path(name).name: name for name in archive.namelist()}
        pages, dialogues = (
            json.loads(archive.read(tables[f"doc2dial_{part}.json"]))
            for part in ("doc", "dial_validation")
        )
    documents = {domain: dict(found) for domain, found in pages["doc_data"].items()}
    questions = []
    for domain, by_page in dialogues["dial_data"].items():
        for page, held in by_page.items():
            asked = (
                first_question(dialogue["turns"], documents[domain][page]["spans"])
                for dialogue in held
            )
            for query, quotes in (found for found in asked if found):
                relevant = [
                    {"document": f"{domain}/{file_name(page)}.md", "quote": quote}
                    for quote in quotes
                ]
                questions.append({"query": query, "relevant": relevant})
    texts = {
        f"{domain}/{file_name(page)}.md": as_markdown(document)
        for domain, found in documents.items()
        for page, document in found.items()
    }
    return Corpus(texts, once(questions))


def first_question(
    turns: list[dict[str, Any]], spans: dict[str, Any]
) -> tuple[str, list[str]] | None:
    """A dialogue's first utterance and the texts behind its reply; None without an answer."""
    if len(turns) < 2 or turns[0]["role"] != "user" or turns[1]["da"] != "respond_solution":
        return None
    quotes = [spans[reference["sp_id"]]["text_sp"].strip() for reference in turns[1]["references"]]
    return (turns[0]["utterance"], [quote for quote in quotes if quote]) if any(quotes) else None


def as_markdown(document: dict[str, Any]) -> str:
    """A page's sections under their headings, the text as it was."""
    parts = [f"# {document['title']}"]
    heading, section = document["title"], ""
    for span in sorted(
        document["spans"].values(), key=lambda span: (int(span["start_sp"]), int(span["end_sp"]))
    ):
        if span["title"].strip() and span["title"] != heading:
            heading = span["title"]
            parts.append(f"## {heading.strip()}")
        if span["id_sec"] != section:
            section = span["id_sec"]
            if span["text_sec"].strip() != heading.strip():
                parts.append(span["text_sec"].strip())
    return "\n\n".join(parts) + "\n"


def covid_qa(content: bytes) -> Corpus:
    """Articles on viruses, with experts' questions and the words that answer them."""
    documents, questions = {}, []
    for entry in json.loads(content)["data"]:
        for paragraph in entry["paragraphs"]:
            name = f"article-{file_name(str(paragraph['document_id']))}.txt"
            documents[name] = paragraph["context"]
            for asked in paragraph["qas"]:
                quotes = [
                    answer["text"].strip() for answer in asked["answers"] if answer["text"].strip()
                ]
                relevant = [{"document": name, "quote": quote} for quote in dict.fromkeys(quotes)]
                if relevant:
                    questions.append({"query": asked["question"], "relevant": relevant})
    return Corpus(documents, once(questions))


def once(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the first of questions in the same words, for they don't say which place they mean."""
    kept: dict[str, dict[str, Any]] = {}
    for question in questions:
        kept.setdefault(" ".join(question["query"].lower().split()), question)
    return list(kept.values())


def file_name(name: str) -> str:
    """A name of letters, digits and hyphens alone: it comes from a download, and becomes a path."""
    return "-".join(
        "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()
    )[:90]


def check_target(corpus: Corpus, folder: Path) -> None:
    """Raise InputError where `folder` holds a document or questions that are not of this corpus."""
    raw, asked = folder / "raw", folder / "queries/questions.jsonl"
    own = {raw / name: text for name, text in corpus.documents.items()}
    own[asked] = question_lines(corpus)
    for path in sorted([*raw.rglob("*"), asked]):
        if path.is_file() and path.read_bytes() != own.get(path, "").encode():
            raise InputError(f"{path} is not of this corpus; name a new folder")


def question_lines(corpus: Corpus) -> str:
    """The questions as queries/questions.jsonl holds them."""
    return "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in corpus.questions)


def write(corpus: Corpus, folder: Path) -> str:
    """Write documents and questions; return what was written, in a line.

    Raises InputError where something else stands in their place.
    """
    check_target(corpus, folder)
    with replacing_folder(folder / "raw") as raw:
        for name, text in sorted(corpus.documents.items()):
            (raw / name).parent.mkdir(parents=True, exist_ok=True)
            (raw / name).write_text(text, encoding="utf-8")
    with replacing(folder / "queries/questions.jsonl") as beside:
        beside.write_text(question_lines(corpus), encoding="utf-8")
    return f"{len(corpus.documents):,} documents, {len(corpus.questions):,} questions → {folder}"


SOURCES: dict[str, tuple[str, Callable[[bytes], Corpus]]] = {
    "doc2dial": (DOC2DIAL, doc2dial),
    "covid-qa": (COVID_QA, covid_qa),
}


def main() -> None:
    """Download one corpus and convert it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(SOURCES))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    address, convert = SOURCES[arguments.name]
    try:
        print(write(convert(download(address, arguments.folder / "download")), arguments.folder))
    except (ArgotError, OSError) as error:
        print(f"corpora: error: {address}: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
