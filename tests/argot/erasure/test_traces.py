from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from argot.erasure.traces import GONE, Traces

SECRET = "the master key of the archive is kept behind the portrait"


@pytest.fixture
def traces() -> Traces:
    return Traces("people/pay.md", chunks={"00000000000000aa"}, texts={f"pay {SECRET} always"})


@pytest.mark.parametrize(
    "text",
    [
        "see people/pay.md",
        "data/raw/people/pay.md:",
        '{"document": "people/pay.md/inner.txt"}',
        "the id 00000000000000aa",
        "(people/pay.md).",
    ],
)
def test_a_text_that_names_the_document_is_found(traces: Traces, text: str) -> None:
    assert traces.in_text(text.encode())


@pytest.mark.parametrize(
    "text", ["other/people/pay.md", "people/pay.md.bak", "people/pay.mdx", "f00000000000000aa"]
)
def test_a_text_that_names_another_is_not(traces: Traces, text: str) -> None:
    assert not traces.in_text(text.encode())


def test_a_name_is_found_as_json_escapes_it() -> None:
    assert Traces("löhne.md").in_text(json.dumps({"document": "löhne.md"}).encode())


def test_a_question_keeps_its_other_documents(traces: Traces) -> None:
    here, there = {"document": "people/pay.md", "quote": "x"}, {"document": "b.md", "quote": SECRET}
    assert traces.without({"query": SECRET, "relevant": [here, there]}) == {
        "query": SECRET,
        "relevant": [there],
    }
    assert traces.without({"query": SECRET, "relevant": [here]}) is GONE


def test_a_pair_that_quotes_the_document_goes_and_a_negative_alone(traces: Traces) -> None:
    assert traces.without({"query": "where?", "positive": f"{SECRET.upper()}!"}) is GONE
    pair = {"query": "where?", "positive": "In the drawer.", "negatives": [SECRET, "On the shelf."]}
    assert traces.without(pair) == {**pair, "negatives": ["On the shelf."]}


def test_few_words_in_common_are_no_quote(traces: Traces) -> None:
    assert traces.without({"query": "where?", "positive": "The master key of the archive"}) != GONE


def test_an_interleaved_question_stays_without_the_passage(traces: Traces) -> None:
    teams = {"00000000000000aa": "served", "00000000000000bb": "candidate"}
    left = traces.without({"kind": "asked", "query": "pay?", "teams": teams})
    assert left == {"kind": "asked", "query": "pay?", "teams": {"00000000000000bb": "candidate"}}
    assert traces.without({"kind": "click", "query": "pay?", "chunk": "00000000000000aa"}) is GONE


def test_a_refusal_goes_whole(traces: Traces) -> None:
    assert traces.without({"query": "q", "key": ["q", "people/pay.md", "a quote"]}) is GONE
    other = {"query": "q", "key": ["q", "b.md", "a quote"]}
    assert traces.without(other) == other


def test_other_lines_stay_to_the_byte(traces: Traces) -> None:
    other, torn = b'{"document":"b.md",   "n": 1}\n', b'{"document": "people/pay.md", "quo'
    kept, changed = traces.lines_without(other + b'{"document": "people/pay.md"}\n' + torn)
    assert (kept, changed) == (other, 2)


def test_a_row_goes_and_others_stay_to_the_byte(traces: Traces) -> None:
    head, other = b"\xef\xbb\xbfquery,document,count\r\n", b'"late\nbox",b.md,  3\r\n'
    kept, changed = traces.rows_without(head + b"pay day,people/pay.md,12\r\n" + other)
    assert (kept, changed) == (head + other, 1)
    quotes = f"anchor\tpositive\nwhere?\tIn the drawer.\nwhere?\t{SECRET}\n".encode()
    kept, changed = traces.rows_without(quotes, "\t")
    assert (kept, changed) == (b"anchor\tpositive\nwhere?\tIn the drawer.\n", 1)


def test_a_row_that_names_another_document_stays(traces: Traces) -> None:
    rows = f"query,document,count\n{SECRET},b.md,3\n".encode()
    assert traces.rows_without(rows) == (rows, 0)


def test_a_dataset_keeps_what_was_asked_about_others(traces: Traces) -> None:
    whole = {
        "queries": {"q1": "where?", "q2": "when?", "q3": "who?"},
        "corpus": {"a": SECRET, "b": "In the drawer."},
        "relevant_docs": {"q1": ["a"], "q2": ["a", "b"], "q3": ["b"]},
        "mode": "text",
    }
    data, changed = traces.dataset_without(json.dumps(whole).encode())
    assert (json.loads(data), changed) == (
        {
            "queries": {"q2": "when?", "q3": "who?"},
            "corpus": {"b": "In the drawer."},
            "relevant_docs": {"q2": ["b"], "q3": ["b"]},
            "mode": "text",
        },
        1,
    )


def test_a_table_of_pairs_loses_its_rows_alone(traces: Traces) -> None:
    rows = [
        {"anchor": "where?", "positive": SECRET},
        {"anchor": "when?", "positive": "At six."},
    ]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    data, changed = traces.table_without(file.getvalue())
    assert (pq.read_table(io.BytesIO(data)).to_pylist(), changed) == (rows[1:], 1)
