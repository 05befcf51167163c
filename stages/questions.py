"""Real questions: find the passages that hold what people said answers them.

Reads data/queries/*.jsonl, one question a line, judged against a document and, better, a verbatim
quote from it:

{"query": "...", "relevant": [{"document": "policies/returns.md", "quote": "..."}],
 "split": "test", "kind": "..."}

An empty list says that no document answers: such questions measure whether the search knows it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from argot.core.params import Settings, load
from argot.core.parquet import read_table, write_table
from argot.core.stage import run, stage_parser, write_figures
from argot.documents.formats.text import clean
from argot.documents.words import LINK_TARGET
from argot.errors import InputError
from argot.queries.refusals import Refusals, Refused, shortened
from argot.queries.splits import split_of
from argot.tables import documents, questions
from argot.tables.chunks import Corpus
from argot.tables.questions import UNANSWERED

QUERIES = Path("data/queries")
# In this order: of two questions in the same words the first one stays.
TABLES = ("test", "dev", "train", UNANSWERED)
# Where none is marked dev and there are so many, about a fifth of the questions becomes dev.
ENOUGH_TO_SPARE, DEV_SHARE = 125, 0.2
LEAST_DEV, MOST_DEV_SHARE = 20, 0.4


# A text in the form that `ingest` gives to documents: composed (NFC), ligatures taken apart.
Cleaned = Annotated[str, AfterValidator(clean)]


class QuestionsSettings(Settings):
    """When a passage holds enough of a quote: the section `questions`."""

    quote_share: float = Field(gt=0, le=1)


class Judgment(BaseModel):
    """A document that answers a question, and where in it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    document: str = Field(min_length=1)
    quote: Cleaned | None = None


class QuestionLine(BaseModel):
    """One line of data/queries."""

    model_config = ConfigDict(extra="forbid", strict=True)
    query: Cleaned = Field(pattern=r"\w")
    relevant: list[Judgment]
    split: Literal["train", "dev", "test"] = "test"
    kind: str = ""

    @property
    def table(self) -> str:
        """The table that it goes to: that of its split, or of what no document answers."""
        return self.split if self.relevant else UNANSWERED


class PlacedLine(NamedTuple):
    """A line, and its file and number."""

    place: str
    file: str
    line: QuestionLine


class ChunkSpan(NamedTuple):
    """A passage's id and its span in the document."""

    id: str
    start: int
    end: int


@dataclass(frozen=True)
class QuotedDocument:
    """A document's Markdown, its passages, and the documents of its near-duplicate group."""

    name: str
    text: str
    group: str
    chunks: list[ChunkSpan]
    copies: list[str]  # near-duplicates, and the document itself

    @property
    def chunk_ids(self) -> list[str]:
        """The ids of all its passages."""
        return [chunk.id for chunk in self.chunks]

    def spans(self, quote: str) -> list[tuple[int, int]]:
        """The quote's spans: word for word, or else the same letters and digits in order.

        No span begins or ends within a word or number: "10 days" is not in "110 days".
        """
        exact = [match.span() for match in re.finditer(re.escape(quote.strip()), self.text)]
        whole = [span for span in exact if self._between_words(span)]
        return whole or self._loosely(quote)

    def holding(self, span: tuple[int, int], share: float) -> list[str]:
        """The passages that hold at least `share` of the span, or else its largest part."""
        held = [
            (min(span[1], chunk.end) - max(span[0], chunk.start), chunk.id) for chunk in self.chunks
        ]
        most = max((length for length, _ in held), default=0)
        enough = min(most, share * (span[1] - span[0]))
        return [id for length, id in held if length >= enough] if most > 0 else []

    def _loosely(self, quote: str) -> list[tuple[int, int]]:
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
    refusals = Refusals("questions")
    asked = list(read_questions(QUERIES, refusals))
    rows, merged = judge_all(asked, corpus, settings.quote_share, refusals)
    spared = spare_dev(rows)
    refusals.show()
    for table in TABLES:
        write_table(questions.PATHS[table], rows[table], questions.SCHEMA)
    counted = figures(rows, refusals)
    write_figures("questions", counted | {"merged": merged, "spared_for_dev": spared})
    counts = ", ".join(f"{len(rows[table])} {table}" for table in TABLES if rows[table])
    twice = f"; {merged} merged into others in the same words" if merged else ""
    return f"{counts or 'no questions'}{twice}; {refusals.summary()}"


def read_documents() -> dict[str, QuotedDocument]:
    """The documents by name, with their passages and near-duplicates."""
    cut = defaultdict(list)
    for row in Corpus().table(["chunk", "document", "start", "end"]).to_pylist():
        cut[row["document"]].append(ChunkSpan(row["chunk"], row["start"], row["end"]))
    table = read_table(documents.PATH, documents.SCHEMA, ["document", "text", "group"]).to_pylist()
    copies = defaultdict(list)
    for row in table:
        copies[row["group"]].append(row["document"])
    found = {
        row["document"]: QuotedDocument(
            row["document"], row["text"], row["group"], cut[row["document"]], copies[row["group"]]
        )
        for row in table
    }
    # Some systems write é in a file's name as two characters: its usual spelling finds it too.
    spelt = {clean(name): document for name, document in found.items()}
    return {**spelt, **found}


def read_questions(folder: Path, refusals: Refusals) -> Iterator[PlacedLine]:
    """Every question below `folder`, by file name and line; what can't be read is refused."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, and should be a folder of *.jsonl; move it away")
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
                    yield PlacedLine(place, name, parse(raw))
            except Refused as refused:
                refusals.add(place, refused)


def parse(raw: bytes) -> QuestionLine:
    """One line as a question; Refused names the key that is wrong, and what was expected."""
    try:
        content = json.loads(raw.decode("utf-8-sig"))
        # JSON can hold half of a surrogate pair, which no table can.
        json.dumps(content, ensure_ascii=False).encode()
        return QuestionLine.model_validate(content)
    except UnicodeDecodeError:
        raise Refused("malformed", "not UTF-8; save the file as UTF-8") from None
    except UnicodeEncodeError:
        raise Refused(
            "malformed", "holds half a pair of surrogates (\\ud800 to \\udfff); remove it"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the line"
        raise Refused(
            "malformed", f"{key}: {first['msg']}; known keys: query, relevant, split, kind"
        ) from None
    except (ValueError, RecursionError) as error:
        raise Refused("malformed", f"not a JSON object on one line ({error})") from None


def judge_all(
    asked: Sequence[PlacedLine], corpus: dict[str, QuotedDocument], share: float, refusals: Refusals
) -> tuple[dict[str, list[dict[str, Any]]], int]:
    """The rows of each table, and how many lines were merged into an earlier one.

    Lines with the same words and the same split are one question, which all their passages answer:
    as two questions, each would count the other's answers as wrong. A test question is refused in
    dev and train, a dev question in train, and what has an answer among those that have none.
    """
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    table_of: dict[str, str] = {}
    known: dict[str, dict[str, Any]] = {}
    merged = 0
    for question in sorted(asked, key=lambda question: TABLES.index(question.line.table)):
        try:
            row = judge(question, corpus, share)
            words, table = " ".join(_words(row["query"])), question.line.table
            if table_of.setdefault(words, table) != table:
                raise Refused(
                    "leaking", f"a {table_of[words]} question in the same words; keep one of them"
                )
            if words in known:
                merge(known[words], row)
                merged += 1
            else:
                known[words] = row
                rows[table].append(row)
        except Refused as refused:
            refusals.add(question.place, refused)
    return rows, merged


def merge(row: dict[str, Any], other: dict[str, Any]) -> None:
    """Let what answers the `other` row answer this one too."""
    for column in ("documents", "chunks"):
        row[column] = list(dict.fromkeys([*row[column], *other[column]]))


def spare_dev(rows: dict[str, list[dict[str, Any]]]) -> int:
    """Turn test questions about a fifth of the documents into dev questions; their number.

    How rankers are fused can't be chosen without people's questions. Nothing is done where some
    question is marked dev already, where there are few questions, or where the fifth would hold too
    few or too many. A hash of the first document that a question is judged on decides, so that
    neither new questions nor new documents move an old one.
    """
    if rows["dev"] or len(rows["test"]) < ENOUGH_TO_SPARE:
        return 0
    sides: dict[str, list[dict[str, Any]]] = {"train": [], "dev": []}
    for row in rows["test"]:
        # The hash is another than that of `synthesize`, or all of them would ask about documents
        # that are not trained on.
        sides[split_of(f"question {row['documents'][0]}", DEV_SHARE, 0.0)].append(row)
    if not LEAST_DEV <= len(sides["dev"]) <= MOST_DEV_SHARE * len(rows["test"]):
        return 0
    rows["dev"], rows["test"] = sides["dev"], sides["train"]
    return len(sides["dev"])


def judge(question: PlacedLine, corpus: dict[str, QuotedDocument], share: float) -> dict[str, Any]:
    """A row of the table: the documents and passages that answer, near-duplicates too."""
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
        "cluster": corpus[next(iter(held))].group if held else "",
        "source": question.file,
    }


def answering(
    judgment: Judgment, corpus: dict[str, QuotedDocument], share: float
) -> dict[str, list[str]]:
    """The passages that answer, by document: those that hold the quote, or all without a quote."""
    document = corpus.get(judgment.document) or corpus.get(clean(judgment.document))
    if document is None:
        raise Refused(
            "unknown document",
            f"'{judgment.document}' is no document below data/raw that could be read",
        )
    names = [document.name, *(name for name in document.copies if name != document.name)]
    if not judgment.quote or not judgment.quote.strip():
        whole = {name: corpus[name].chunk_ids for name in names if corpus[name].chunks}
        if not whole:
            raise Refused(
                "no passage", f"{document.name} has no passage: `chunk` dropped all of its text"
            )
        return whole
    found: dict[str, list[str]] = {}
    for name in names:
        spans = corpus[name].spans(judgment.quote)
        if not spans and name == document.name:
            raise Refused(
                "quote not found",
                f"'{shortened(judgment.quote)}' is not in {name}; copy it from there",
            )
        ids = [id for span in spans for id in corpus[name].holding(span, share)]
        if ids:
            found[name] = list(dict.fromkeys(ids))
    if document.name not in found:
        raise Refused(
            "quote in no passage",
            f"'{shortened(judgment.quote)}' is in a part that `chunk` dropped",
        )
    return found


def figures(rows: dict[str, list[dict[str, Any]]], refusals: Refusals) -> dict[str, Any]:
    """Counts, by table and by reason of refusal."""
    documents = {name for found in rows.values() for row in found for name in row["documents"]}
    return {
        "questions": {table: len(found) for table, found in rows.items()},
        "documents_asked_about": len(documents),
        "refused": dict(refusals.counts),
    }


def _letters(text: str) -> tuple[str, list[int]]:
    # Markup, spaces and the targets of links don't count; each letter keeps its place.
    text = LINK_TARGET.sub(lambda match: " " * len(match.group()), text)
    letters, places = [], []
    for place, letter in enumerate(text):
        for lower in filter(str.isalnum, letter.lower()):
            letters.append(lower)
            places.append(place)
    return "".join(letters), places


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


if __name__ == "__main__":
    stage_parser("questions", __doc__).parse_args()
    run("questions", main)
