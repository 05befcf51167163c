"""What a document is known by, so that its copies and quotes are found."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from argot.encoding.store.vectors import key
from argot.feedback.journal import same_words
from argot.queries.brought.llama_index import QaDataset
from argot.tables.chunks import passage

# Columns of prose: a document that is named there is talked about, not kept.
PROSE = {"text", "embedded", "heading", "title", "query", "metadata"}
CHUNK_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])")
# So many words in a row are a quote, and no chance.
QUOTE = 8
# Queries of these sources are of people, who may have asked them about another document too.
OF_PEOPLE = ("real", "own")
GONE = object()


@dataclass
class Traces:
    """A document's name, and what was made from it: passages, their ids, the keys of vectors.

    The name may be of an archive or a folder, whose documents are meant then.
    """

    document: str
    chunks: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)  # words of the document and of its passages
    copies: set[str] = field(default_factory=set)  # names of documents that are nearly the same

    def learn(self, path: Path) -> None:
        """Take from a table with the column `document` what was made from this one."""
        names = set(pq.read_schema(path).names)
        if "document" not in names:
            return
        wanted = names & {"document", "group", "chunk", "heading", "text", "query", "source"}
        table = pq.read_table(path, columns=sorted(wanted))
        own = table.filter(self._are_named(table["document"].combine_chunks()))
        for row in own.to_pylist():
            self._learn_row(row)
        if "group" in names and len(own):
            alike = pc.is_in(table["group"], own["group"].combine_chunks())
            others = table["document"].filter(alike).unique().to_pylist()
            self.copies |= {name for name in others if not self.is_named(name)}

    def _learn_row(self, row: dict[str, Any]) -> None:
        self.chunks |= {row["chunk"]} if "chunk" in row else set()
        if "text" in row:
            self.texts.add(same_words(row["text"]))
            self.keys.add(key(passage(row.get("heading", ""), row["text"])))
        if "query" in row and not row["source"].startswith(OF_PEOPLE):
            self.keys.add(key(row["query"]))

    def is_named(self, name: str) -> bool:
        """Is this the document's name, that of a file in it, or a passage's id?"""
        inside = name.startswith(f"{self.document}/")
        return name == self.document or inside or name in self.chunks

    def in_table(self, path: Path) -> bool:
        """Does a Parquet file name the document or one of its passages, in any row?"""
        schema = pq.read_schema(path)
        columns = [name for name in schema.names if name not in PROSE and _is_text(schema, name)]
        for batch in pq.ParquetFile(path).iter_batches(columns=columns):
            for column in batch.columns:
                flat = column.flatten() if pa.types.is_list(column.type) else column
                if pc.any(self._are_named(flat)).as_py():
                    return True
        return False

    def _are_named(self, names: pa.Array) -> pa.Array:
        exact = pc.is_in(names, pa.array([self.document, *sorted(self.chunks)], pa.string()))
        return pc.or_kleene(exact, pc.starts_with(names, f"{self.document}/"))

    def in_text(self, data: bytes) -> bool:
        """Does a text name the document or one of its passages?"""
        found = {id.decode() for id in CHUNK_ID.findall(data)} if self.chunks else set()
        return bool(found & self.chunks) or bool(self._name.search(data))

    @cached_property
    def _name(self) -> re.Pattern[bytes]:
        """The name as it is written, alone or below data/raw; JSON may have escaped it."""
        spelt = {self.document, json.dumps(self.document)[1:-1]}
        names = b"|".join(re.escape(name.encode()) for name in sorted(spelt))
        return re.compile(rb"(?:(?<![\w./-])|(?<=data/raw/))(?:" + names + rb")(?![\w-]|\.\w)")

    def quoted(self, text: str) -> bool:
        """Is a text a quote of the document, or does it hold one of its passages?"""
        words = same_words(text)
        if words.count(" ") < QUOTE - 1:
            return False
        long = (known for known in self.texts if known.count(" ") >= QUOTE - 1)
        return any(f" {words} " in f" {known} " or known in words for known in long)

    def without(self, value: Any, quotes: bool = True) -> Any:
        """A JSON value without what names the document or, with `quotes`, quotes it.

        An object goes with a value that does, and a list with its last entry. GONE where nothing
        is left.
        """
        if isinstance(value, str):
            return GONE if self.is_named(value) or (quotes and self.quoted(value)) else value
        if isinstance(value, list):
            kept = [left for one in value if (left := self.without(one, quotes)) is not GONE]
            return GONE if value and not kept else kept
        if not isinstance(value, dict):
            return value
        # Where a line says which document it quotes, no other one is meant.
        quotes = quotes and not {"document", "relevant"} & value.keys()
        kept_values = {
            name: self.without(inner, quotes)
            for name, inner in value.items()
            if not self.is_named(name)
        }
        # What a person refused is known by a list that means nothing without one of its parts.
        whole = value.get("key") == kept_values.get("key")
        return kept_values if whole and GONE not in kept_values.values() else GONE

    def lines_without(self, data: bytes) -> tuple[bytes, int]:
        """A JSONL file without the document, and how many of its lines were changed or dropped."""
        lines = data.splitlines(keepends=True)
        kept = [*self._kept(lines)]
        changed = len(lines) - sum(same for same, _ in kept)
        return b"".join(line for _, line in kept), changed

    def rows_without(self, data: bytes, delimiter: str = ",") -> tuple[bytes, int]:
        """A CSV file without the document's rows, and their number; ValueError where it is none."""
        lines = data.splitlines(keepends=True)
        reader = csv.reader((line.decode("utf-8-sig") for line in lines), delimiter=delimiter)
        header = next(reader, [])
        begin, kept, dropped = reader.line_num, lines[: reader.line_num], 0
        try:
            for row in reader:
                gone = self.without(dict(zip(header, row, strict=False))) is GONE
                dropped += gone
                kept += [] if gone else lines[begin : reader.line_num]
                begin = reader.line_num  # a cell may hold several lines
        except csv.Error as error:
            raise ValueError(error) from None
        return b"".join(kept), dropped

    def dataset_without(self, data: bytes) -> tuple[bytes, int]:
        """A dataset of LlamaIndex without the document's passages and what was asked about them.

        Also their number; ValueError where it is no such dataset.
        """
        found = QaDataset.model_validate_json(data)
        kept = {id: text for id, text in found.corpus.items() if self.without(text) is not GONE}
        relevant = {
            query: [id for id in ids if id in kept] for query, ids in found.relevant_docs.items()
        }
        asked = {query: ids for query, ids in relevant.items() if ids}
        left = {
            **json.loads(data),
            "corpus": kept,
            "relevant_docs": asked,
            "queries": {id: text for id, text in found.queries.items() if id in asked},
        }
        return json.dumps(left, ensure_ascii=False).encode(), len(found.corpus) - len(kept)

    def table_without(self, data: bytes) -> tuple[bytes, int]:
        """A Parquet file without the document's rows, and how many were changed or dropped."""
        table, file = pq.read_table(io.BytesIO(data)), io.BytesIO()
        rows = table.to_pylist()
        left = [self.without(row) for row in rows]
        kept = [row for row in left if row is not GONE]
        pq.write_table(pa.Table.from_pylist(kept, table.schema), file)
        same = sum(row == before for row, before in zip(left, rows, strict=True))
        return file.getvalue(), len(rows) - same

    def _kept(self, lines: Iterable[bytes]) -> Iterator[tuple[bool, bytes]]:
        """Each line that is left, and whether it is as it was."""
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:  # half a line, or none of JSON
                if not self.in_text(line):
                    yield True, line
                continue
            left = self.without(value)
            if left is GONE:
                continue
            same = left == value
            yield same, line if same else json.dumps(left, ensure_ascii=False).encode() + b"\n"


def _is_text(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type
    return bool(pa.types.is_string(kind.value_type if pa.types.is_list(kind) else kind))
