from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from argot import Retriever
from argot.core.parquet import read_table, write_table
from argot.encoding.embedder import Embedder, fingerprint
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import ArgotError, InputError, ReleaseError
from argot.ranking.fusion import Fusion, fuse
from argot.ranking.hits import ranked, search_exact, tie_order
from argot.ranking.tokens import TokenIndex
from argot.search.release import CHUNKS
from argot.tables.chunks import SCHEMA, passage
from tests.support.releases import reseal, without_tokens
from tools.tiny.release import rows

QUESTIONS = [
    "what does error E-17 mean",
    "when are wages paid",
    "my pump rattles",
    "how do I get a refund",
]


@pytest.fixture(scope="module")
def retriever(made: Path) -> Retriever:
    return Retriever.load(made / "models" / "release", device="cpu")


def test_a_passage_says_where_it_is_from(retriever: Retriever) -> None:
    best = retriever.search("error E-17", k=3)[0]
    assert (best.document, best.heading, best.title) == (
        "pumps/noise.md",
        "Pumps > Noise",
        "pumps/noise",
    )
    assert best.text == "Error E-17 means the rotor is stuck."
    assert (best.start, best.end) == (100, 100 + len(best.text))
    assert best.metadata == {"year": 2026, "tags": ["pump"]}
    assert (best.rank, best.ranks["bm25"]) == (1, 1)
    assert best.ranks["dense"] is not None


def test_dense_search_is_exact_search_by_the_released_model(retriever: Retriever) -> None:
    texts = [passage(row["heading"], row["text"]) for row in rows()]
    ids = [row["chunk"] for row in rows()]
    vectors = retriever.embedder.encode_passages(texts)
    expected = search_exact(
        retriever.embedder.encode_queries(QUESTIONS), vectors, 5, tie_order(ids)
    )
    found = retriever.search_many(QUESTIONS, k=5, mode="dense")
    assert [[one.id for one in ones] for ones in found] == [
        [ids[p] for p in row] for row in expected.positions
    ]
    assert np.allclose([[one.score for one in ones] for ones in found], expected.scores)


def test_hybrid_search_is_the_fusion_of_all_rankers(retriever: Retriever) -> None:
    """All passages are candidates here, so that each ranker's own ranking is of the same ones."""
    ids = [row["chunk"] for row in rows()]
    every = np.tile(np.arange(len(ids), dtype=np.int32), (len(QUESTIONS), 1))
    rankers = [retriever.bm25, retriever.finder("dense"), retriever.by_token]
    hits = {
        one.name: ranked(every, one.score(QUESTIONS, every), retriever._ties) for one in rankers
    }
    expected = fuse(hits, retriever.fusion(), 4, retriever._ties)
    found = retriever.search_many(QUESTIONS, k=4, mode="hybrid")
    assert [[one.id for one in ones] for ones in found] == [
        [ids[p] for p in row] for row in expected.positions
    ]


@pytest.mark.parametrize("rankers", [("bm25", "dense"), ("bm25", "dense", "tokens"), ("dense",)])
def test_more_hits_follow_and_never_change_the_first_ranks(
    retriever: Retriever, rankers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = dict.fromkeys(rankers, round(1 / len(rankers), 2))
    fusion = Fusion(method="convex", weights=weights)
    monkeypatch.setattr(retriever, "fusion", lambda mode: fusion)
    monkeypatch.setattr("argot.search.retriever.DEPTH", 3)
    first, all_of_them = (retriever.search_many(QUESTIONS, k=k) for k in (3, 8))
    for few, many in zip(first, all_of_them, strict=True):
        assert [(one.id, one.score) for one in few] == [(one.id, one.score) for one in many[:3]]
        scores = [one.score for one in many]
        assert scores == sorted(scores, reverse=True)
        assert len({one.id for one in many}) == len(many) == 8


def test_a_passage_has_a_probability_where_the_release_is_searched_as_evaluated(
    retriever: Retriever,
) -> None:
    found = retriever.search("error E-17 means the rotor is stuck", k=3)
    chances = [one.probability for one in found]
    assert chances == sorted(chances, reverse=True)  # type: ignore[type-var]
    assert not retriever.nothing_fits(found)
    nothing = retriever.search("zebra", k=3)
    assert retriever.nothing_fits(nothing)
    assert (nothing[0].probability or 1) < (found[0].probability or 0)
    alone = retriever.search("zebra", mode="dense")
    assert {one.probability for one in alone} == {None}
    assert not retriever.nothing_fits(alone) and not retriever.nothing_fits([])


def test_tokens_rank_what_the_other_rankers_find(retriever: Retriever) -> None:
    texts = [passage(row["heading"], row["text"]) for row in rows()]
    ids = [row["chunk"] for row in rows()]
    encoder = TokenEncoder(retriever.embedder)
    passages = TokenIndex.build(encoder.encode(texts, "passage")[1])
    questions = encoder.encode(QUESTIONS, "query")[1]
    every = np.tile(np.arange(len(ids), dtype=np.int32), (len(QUESTIONS), 1))
    expected = ranked(every, passages.score(questions, every), retriever._ties)
    found = retriever.search_many(QUESTIONS, k=8, mode="tokens")
    assert [[one.id for one in ones] for ones in found] == [
        [ids[p] for p in row] for row in expected.positions
    ]
    assert [[one.ranks["tokens"] for one in ones] for ones in found] == [[*range(1, 9)]] * len(
        QUESTIONS
    )


def test_a_query_is_encoded_once_for_vectors_and_tokens(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes, forward = list[int](), Embedder.forward_stream

    def counting(self: Embedder, texts: list[str], *given: Any) -> Iterator[Any]:
        passes.append(len(texts))
        yield from forward(self, texts, *given)

    monkeypatch.setattr(Embedder, "forward_stream", counting)
    retriever.search("a question that nobody asked before")
    assert passes == [1]


def test_ranks_are_those_of_each_system_alone(retriever: Retriever) -> None:
    alone = {
        mode: [one.id for one in retriever.search("pump seal", k=8, mode=mode)]
        for mode in ("dense", "bm25", "tokens")
    }
    for one in retriever.search("pump seal", k=8, mode="hybrid"):
        assert one.ranks["dense"] == alone["dense"].index(one.id) + 1
        assert one.ranks["tokens"] == alone["tokens"].index(one.id) + 1
        assert one.ranks.get("bm25") == (
            alone["bm25"].index(one.id) + 1 if one.id in alone["bm25"] else None
        )


def test_the_manifests_mode_is_the_default(retriever: Retriever) -> None:
    assert retriever.search("pump") == retriever.search("pump", mode="hybrid")


def test_many_questions_are_answered_as_one(retriever: Retriever) -> None:
    together = [one for found in retriever.search_many(QUESTIONS, k=3) for one in found]
    alone = [one for question in QUESTIONS for one in retriever.search(question, k=3)]
    assert [replace(one, score=0) for one in together] == [replace(one, score=0) for one in alone]
    assert [one.score for one in together] == pytest.approx([one.score for one in alone])
    assert retriever.search_many([], k=3) == []


def test_lexical_search_finds_nothing_where_no_word_is_shared(retriever: Retriever) -> None:
    assert retriever.search("zebra", mode="bm25") == []


@pytest.mark.parametrize("mode", ["hybrid", "bm25", "dense", "tokens"])
@pytest.mark.parametrize(
    ("filter", "documents"),
    [
        ({"year": 2026}, {"pumps/noise.md", "returns.md"}),
        ({"year": "2026"}, {"pumps/noise.md", "returns.md"}),
        ({"tags": "pump"}, {"pumps/noise.md", "pumps/seals.md"}),
        ({"tags": "pump", "year": 2025}, {"pumps/seals.md"}),
        ({"draft": True}, {"returns.md"}),
        ({"year": 1999}, set()),
    ],
)
def test_a_filter_keeps_all_that_matches_and_nothing_else(
    retriever: Retriever, mode: str, filter: dict[str, object], documents: set[str]
) -> None:
    found = retriever.search(
        "the pump seal of damaged goods is paid with an invoice", 8, mode, filter
    )  # type: ignore[arg-type]
    assert {one.document for one in found} == documents
    assert [one.rank for one in found] == list(range(1, len(found) + 1))


def test_a_filter_by_an_unknown_key_names_the_known_ones(retriever: Retriever) -> None:
    with pytest.raises(
        InputError, match="no document has metadata 'nobody'; known are: draft, tags, year"
    ):
        retriever.search("the pump seal", filter={"nobody": "knows"})


@pytest.mark.parametrize(
    ("filter", "told"),
    [
        ({"year": 2026}, ""),
        ({"year": 2024}, "no document has year=2024; known are: 2025, 2026"),
        ({"tags": "rotor"}, "no document has tags=rotor; known are: pump, seal"),
        ({"year": 2025, "draft": True}, "no document has all of year, draft as asked"),
    ],
)
def test_a_filter_that_nothing_passes_is_explained(
    retriever: Retriever, filter: dict[str, object], told: str
) -> None:
    assert retriever.unmet(filter) == told
    assert bool(retriever.search("pump", 5, "dense", filter)) == (told == "")


def test_what_a_filter_is_told_is_of_what_is_seen(restricted: Path) -> None:
    retriever = Retriever.load(restricted, device="cpu")
    told = retriever.unmet({"year": 2025}, {"nobody"})
    assert told == "no document has year=2025; known are: 2026"


def test_more_than_there_is_gives_all_there_is(retriever: Retriever) -> None:
    assert len(retriever.search("pump", k=1000, mode="dense")) == 8


def test_a_bad_call_is_an_error_of_one_line(retriever: Retriever) -> None:
    with pytest.raises(
        InputError, match="mode must be one of hybrid, bm25, dense, tokens, got 'fuzzy'"
    ):
        retriever.search("pump", mode="fuzzy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="k must be at least 1, got 0"):
        retriever.search("pump", k=0)
    for wrong in (2.5, "3", None):
        with pytest.raises(InputError, match=f"k must be a whole number, got {wrong!r}"):
            retriever.search("pump", k=wrong)  # type: ignore[arg-type]
    for query in (None, ["pump"], 3):
        with pytest.raises(InputError, match="a query must be a text, got "):
            retriever.search(query)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"filter: 'year' must be a text, .* got \['2026'\]"):
        retriever.search("pump", filter={"year": ["2026"]})


def test_parts_of_different_releases_are_refused(spoilt: Path) -> None:
    """The manifest's hashes are written again, so only the contents can show the mismatch."""
    words = json.loads((spoilt / "lexical" / "words.json").read_text())
    words["ids"][0] = "another"
    (spoilt / "lexical" / "words.json").write_text(json.dumps(words))
    reseal(spoilt)
    with pytest.raises(ReleaseError, match="lexical is of other passages"):
        Retriever.load(spoilt, device="cpu").search("pump", mode="bm25")


def test_an_index_of_another_dimension_is_refused(spoilt: Path) -> None:
    reseal(spoilt, dimension=384)
    with pytest.raises(
        ReleaseError, match=r"index.faiss holds 32 dimensions, its manifest says 384"
    ):
        Retriever.load(spoilt)


def test_an_index_of_other_passages_is_refused(spoilt: Path) -> None:
    reseal(spoilt, passages=9)
    with pytest.raises(ReleaseError, match=r"index.faiss holds 8 passages, its manifest says 9"):
        Retriever.load(spoilt)


@pytest.mark.parametrize(
    "content", [b"", b"IxFI", b"garbage that is no index at all", b"IxFI" + b"\xff" * 60]
)
def test_an_index_that_is_none_is_refused(spoilt: Path, content: bytes) -> None:
    (spoilt / "index.faiss").write_bytes(content)
    reseal(spoilt)
    with pytest.raises(ArgotError, match=r"index\.faiss"):
        Retriever.load(spoilt, device="cpu").search("pump", mode="dense")


def test_lexical_search_loads_neither_torch_nor_faiss(release: Path) -> None:
    code = (
        "import sys; from argot import Retriever; "
        f"assert Retriever.load({str(release)!r}).search('E-17', mode='bm25'); "
        "print(sorted({'torch', 'faiss', 'sentence_transformers', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_verify_refuses_vectors_of_another_model(made: Path, spoilt: Path) -> None:
    assert Retriever.load(spoilt, device="cpu").verify() == 8
    shutil.copyfile(
        made / "models" / "base" / "model.safetensors", spoilt / "embedder" / "model.safetensors"
    )
    reseal(spoilt, fingerprint=fingerprint(spoilt / "embedder"))
    with pytest.raises(ReleaseError, match="vectors of another model"):
        Retriever.load(spoilt, device="cpu").verify()


def test_verify_refuses_tokens_of_another_model(made: Path, spoilt: Path) -> None:
    texts = [passage(row["heading"], row["text"]) for row in rows()]
    encoder = TokenEncoder(Embedder.load(made / "models" / "base", "cpu"))
    TokenIndex.build(encoder.encode(texts, "passage")[1]).save(spoilt / "tokens")
    reseal(spoilt)
    with pytest.raises(ReleaseError, match="tokens holds vectors of another model"):
        Retriever.load(spoilt, device="cpu").verify()


def test_verify_needs_no_tokens(spoilt: Path) -> None:
    without_tokens(spoilt)
    assert Retriever.load(spoilt, device="cpu").verify() == 8


def test_threads_dont_make_one_another_encode_again(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes, forward = list[str](), Embedder.forward_stream

    def counting(self: Embedder, texts: list[str], *given: Any) -> Iterator[Any]:
        passes.extend(texts)
        yield from forward(self, texts, *given)

    monkeypatch.setattr(Embedder, "forward_stream", counting)
    encoder = retriever.encoder
    encoder.vectors(["a seal that weeps"])
    other = threading.Thread(target=encoder.vectors, args=(["a pump that rattles"],))
    other.start()
    other.join()
    encoder.tokens(["a seal that weeps"])
    assert passes == ["a seal that weeps", "a pump that rattles"]


def test_a_notebook_shows_one_line(release: Path) -> None:
    retriever = Retriever.load(release)
    passage = retriever.search("error E-17", 1, "bm25")[0]
    assert repr(retriever).endswith("release': 8 passages, tuned model, hybrid search)")
    assert repr(passage).startswith("Passage(1. 'pumps/noise.md', score ")
    assert repr(passage).endswith(": 'Error E-17 means the rotor is stuck.')")


@pytest.mark.parametrize("mode", ["hybrid", "bm25", "dense", "tokens"])
def test_half_a_character_is_searched_as_none(retriever: Retriever, mode: str) -> None:
    found = retriever.search("error E-17 \ud800", 3, mode)
    assert [one.id for one in found] == [
        one.id for one in retriever.search("error E-17 ?", 3, mode)
    ]


def test_a_release_made_before_there_were_pages_is_searched(spoilt: Path) -> None:
    path = spoilt / CHUNKS
    before = read_table(path, SCHEMA).drop_columns("page")
    write_table(path, before, before.schema)
    reseal(spoilt)
    old = Retriever.load(spoilt, device="cpu")
    assert old.search("error E-17", k=1, mode="bm25")[0].page is None
    whole = old.document("pumps/noise.md")
    assert whole and [piece.page for piece in whole.pieces] == [None, None]


def test_a_passage_knows_its_page(spoilt: Path) -> None:
    paged = [
        {**row, "page": 3, "document": row["document"].replace(".md", ".pdf")} for row in rows()
    ]
    write_table(spoilt / CHUNKS, paged, SCHEMA)
    reseal(spoilt, url="https://w.example")
    retriever = Retriever.load(spoilt, device="cpu")
    (best,) = retriever.search("error E-17", k=1, mode="bm25")
    assert (best.page, best.page_name) == (3, "page 3")
    assert best.url == "https://w.example/pumps/noise.pdf#page=3"
    whole = retriever.document(best.id)
    assert whole and whole.url == "https://w.example/pumps/noise.pdf"
    assert {(piece.page, piece.page_name) for piece in whole.pieces} == {(3, "page 3")}
