"""Real questions: find in the documents what people said answers them, and tell which passages hold it.

Reads data/queries/*.jsonl, one question a line, judged against a document and, better, a verbatim quote from it:
{"query": "...", "relevant": [{"document": "policies/returns.md", "quote": "..."}], "split": "test", "kind": "..."}
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from argot.core.params import Settings, load
from argot.core.parquet import read_table, write_table
from argot.core.stage import run, stage_parser, write_figures
from argot.tables import documents, questions
from argot.tables.chunks import Corpus

QUERIES = Path("data/queries")
SPLITS = ("test", "dev", "train")
TOLD = 20  # refused lines told on the screen; all are counted
LINK_TARGET = re.compile(r"\]\([^()\s]*\)")


class QuestionsSettings(Settings):
    """When a passage holds enough of a quote: the section `questions`."""

    quote_share: float = Field(gt=0, le=1)


class Judgment(BaseModel):
    """A document that answers a question, and where in it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    document: str = Field(min_length=1)
    quote: str | None = None


class Line(BaseModel):
    """One line of data/queries."""

    model_config = ConfigDict(extra="forbid", strict=True)
    query: str = Field(pattern=r"\w")
    relevant: list[Judgment] = Field(min_length=1)
    split: Literal["train", "dev", "test"] = "test"
    kind: str = ""


class Question(NamedTuple):
    """A line, and where it stands."""

    place: str
    file: str
    line: Line


class Refused(Exception):
    """A line that can't be used: `reason` is what is counted, the message is what is told."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class Refusals:
    """Every line that was refused: counted by reason, and told with its place."""

    counts: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    def add(self, place: str, refused: Refused) -> None:
        """Count and remember one."""
        self.counts[refused.reason] += 1
        self.told.append(f"{place}: {refused}")

    def show(self) -> None:
        """Tell the first ones on the screen."""
        for line in self.told[:TOLD]:
            print(f"questions: refused: {line}", file=sys.stderr)
        if len(self.told) > TOLD:
            print(f"questions: refused: {len(self.told) - TOLD} more lines", file=sys.stderr)


class ChunkSpan(NamedTuple):
    """A passage's id and its span in the document."""

    id: str
    start: int
    end: int


@dataclass(frozen=True)
class QuotedDocument:
    """A document's Markdown, the passages cut from it, and its near-duplicates (itself among them)."""

    name: str
    text: str
    group: str
    chunks: list[ChunkSpan]
    alike: list[str]

    def spans(self, quote: str) -> list[tuple[int, int]]:
        """Where the quote stands: word for word, or else the same letters and digits in the same order."""
        exact = [match.span() for match in re.finditer(re.escape(quote.strip()), self.text)]
        return exact or self._alike(quote)

    def holding(self, span: tuple[int, int], share: float) -> list[str]:
        """The passages that hold at least `share` of the span, or the one that holds the largest part."""
        held = [
            (min(span[1], chunk.end) - max(span[0], chunk.start), chunk.id) for chunk in self.chunks
        ]
        most = max((length for length, _ in held), default=0)
        enough = min(most, share * (span[1] - span[0]))
        return [id for length, id in held if length >= enough] if most > 0 else []

    def _alike(self, quote: str) -> list[tuple[int, int]]:
        letters, places = self._letters
        wanted = _letters(quote)[0]
        if not wanted:
            return []
        found = [match.start() for match in re.finditer(re.escape(wanted), letters)]
        spans = [(places[at], places[at + len(wanted) - 1] + 1) for at in found]
        return [span for span in spans if self._between_words(span)]

    def _between_words(self, span: tuple[int, int]) -> bool:
        before, after = self.text[span[0] - 1 : span[0]], self.text[span[1] : span[1] + 1]
        return not (before.isalnum() or after.isalnum())

    @cached_property
    def _letters(self) -> tuple[str, list[int]]:
        return _letters(self.text)


def main() -> str:
    """Read, judge and write all questions."""
    settings = load("questions", QuestionsSettings)
    corpus = read_documents()
    refusals = Refusals()
    asked = list(read_questions(QUERIES, refusals))
    rows = judge_all(asked, corpus, settings.quote_share, refusals)
    refusals.show()
    for split in SPLITS:
        write_table(questions.PATHS[split], rows[split], questions.SCHEMA)
    write_figures("questions", figures(rows, refusals))
    counts = ", ".join(f"{len(rows[split])} {split}" for split in SPLITS)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refusals.counts.items()))
    return f"{counts}; {refusals.counts.total()} refused" + (f" ({reasons})" if reasons else "")


def read_documents() -> dict[str, QuotedDocument]:
    """The documents by name, with their passages and near-duplicates."""
    cut = defaultdict(list)
    for row in Corpus().table(["chunk", "document", "start", "end"]).to_pylist():
        cut[row["document"]].append(ChunkSpan(row["chunk"], row["start"], row["end"]))
    table = read_table(documents.PATH, documents.SCHEMA, ["document", "text", "group"]).to_pylist()
    alike = defaultdict(list)
    for row in table:
        alike[row["group"]].append(row["document"])
    return {
        row["document"]: QuotedDocument(
            row["document"], row["text"], row["group"], cut[row["document"]], alike[row["group"]]
        )
        for row in table
    }


def read_questions(folder: Path, refusals: Refusals) -> Iterator[Question]:
    """Every question below `folder`, by file name and line; what can't be read is refused."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith((".", "README")):
            continue
        name = path.relative_to(folder).as_posix()
        if path.suffix != ".jsonl":
            refusals.add(
                str(path),
                Refused("not .jsonl", "only files named *.jsonl are read; rename or remove it"),
            )
            continue
        for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
            place = f"{path}:{number}"
            try:
                if raw.strip(b"\xef\xbb\xbf \t"):
                    yield Question(place, name, parse(raw))
            except Refused as refused:
                refusals.add(place, refused)


def parse(raw: bytes) -> Line:
    """One line as a question; Refused tells which key is wrong, and what was expected."""
    try:
        return Line.model_validate(json.loads(raw.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise Refused("malformed", "not UTF-8; save the file as UTF-8") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise Refused("malformed", f"not a JSON object on one line ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the line"
        raise Refused(
            "malformed", f"{key}: {first['msg']}; known keys: query, relevant, split, kind"
        ) from None


def judge_all(
    asked: Sequence[Question], corpus: dict[str, QuotedDocument], share: float, refusals: Refusals
) -> dict[str, list[dict[str, Any]]]:
    """The rows of each split; a question asked in the test is kept out of dev and train, one of dev out of train."""
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    split_of: dict[str, str] = {}
    seen: set[str] = set()
    for question in sorted(asked, key=lambda question: SPLITS.index(question.line.split)):
        try:
            row = judge(question, corpus, share)
            words, split = " ".join(_words(row["query"])), question.line.split
            if split_of.setdefault(words, split) != split:
                raise Refused(
                    "leaking", f"a {split_of[words]} question in the same words; keep one of them"
                )
            if row["question"] in seen:
                raise Refused(
                    "repeated", "the same question with the same judgments stands further up"
                )
            seen.add(row["question"])
            rows[split].append(row)
        except Refused as refused:
            refusals.add(question.place, refused)
    return rows


def judge(question: Question, corpus: dict[str, QuotedDocument], share: float) -> dict[str, Any]:
    """A row of the table: the documents and passages that answer the question, near-duplicates' copies too."""
    line = question.line
    held: dict[str, list[str]] = {}
    for judgment in line.relevant:
        for name, ids in answering(judgment, corpus, share).items():
            held[name] = list(dict.fromkeys([*held.get(name, []), *ids]))
    content = [line.query, [[judgment.document, judgment.quote] for judgment in line.relevant]]
    return {
        "question": hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16],
        "query": " ".join(line.query.split()),
        "kind": line.kind,
        "documents": list(held),
        "chunks": [id for ids in held.values() for id in ids],
        "cluster": corpus[line.relevant[0].document].group,
        "source": question.file,
    }


def answering(
    judgment: Judgment, corpus: dict[str, QuotedDocument], share: float
) -> dict[str, list[str]]:
    """The passages that answer, by document: those that hold the quote, or all of the document where there is none."""
    document = corpus.get(judgment.document)
    if document is None:
        raise Refused(
            "unknown document",
            f"'{judgment.document}' is no document below data/raw that could be read",
        )
    if not judgment.quote or not judgment.quote.strip():
        return {
            name: [chunk.id for chunk in corpus[name].chunks]
            for name in [document.name, *_others(document)]
        }
    found: dict[str, list[str]] = {}
    for name in [document.name, *_others(document)]:
        spans = corpus[name].spans(judgment.quote)
        if not spans and name == document.name:
            raise Refused(
                "quote not found",
                f"'{_short(judgment.quote)}' does not stand in {name}; copy it from there",
            )
        ids = [id for span in spans for id in corpus[name].holding(span, share)]
        if ids:
            found[name] = list(dict.fromkeys(ids))
    if document.name not in found:
        raise Refused(
            "quote in no passage",
            f"'{_short(judgment.quote)}' stands in a part that `chunk` dropped",
        )
    return found


def figures(rows: dict[str, list[dict[str, Any]]], refusals: Refusals) -> dict[str, Any]:
    """Counts, by split and by reason of refusal."""
    return {
        "questions": {split: len(found) for split, found in rows.items()},
        "documents_asked_about": len(
            {name for found in rows.values() for row in found for name in row["documents"]}
        ),
        "refused": dict(refusals.counts),
    }


def _others(document: QuotedDocument) -> list[str]:
    return [name for name in document.alike if name != document.name]


def _letters(text: str) -> tuple[str, list[int]]:
    # Markup, spaces and the targets of links don't count; each letter keeps its place.
    text = LINK_TARGET.sub(lambda match: " " * len(match.group()), text)
    kept = [
        (lower, place)
        for place, letter in enumerate(text)
        for lower in letter.lower()
        if lower.isalnum()
    ]
    return "".join(lower for lower, _ in kept), [place for _, place in kept]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


if __name__ == "__main__":
    stage_parser("questions", __doc__).parse_args()
    run("questions", main)
