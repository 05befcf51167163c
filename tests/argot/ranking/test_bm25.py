from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from rank_bm25 import BM25Okapi

from argot.core.files import sha256
from argot.errors import InputError, ParamsError
from argot.ranking.bm25 import Bm25, LexicalSettings, Words

SETTINGS = LexicalSettings(language="auto", k1=1.2, b=0.75)
TEXTS = [
    "Hold K7: freight unpaid on this job",
    "Tariff item TW-D12 for the courier",
    "Ticket HELM-4031 was closed by the desk",
    "The ISF 10+2 filing is due before loading",
    "Drivers' licences are renewed at the counter",
    "Nothing here",
]
IDS = ["c3", "c1", "c2", "c0", "c5", "c4"]


def build(texts: list[str] = TEXTS, ids: list[str] = IDS, language: str = "en") -> Bm25:
    return Bm25.build(ids, texts, SETTINGS, language)


@pytest.mark.parametrize(
    ("query", "place"),
    [("k7", 0), ("TW-D12", 1), ("d12", 1), ("helm 4031", 2), ("10+2", 3), ("driver's licence", 4)],
)
def test_codes_and_inflected_words_are_found(query: str, place: int) -> None:
    hits = build().search([query], 3)
    assert hits.positions[0, 0] == place
    assert hits.scores[0, 0] > 0


def test_a_code_is_a_term_as_a_whole_and_in_parts() -> None:
    assert Words("en").of("TW-D12, near-miss") == ["tw-d12", "tw", "d12", "near", "miss"]


def test_elisions_and_stop_words_are_no_terms() -> None:
    assert Words("fr").of("L'eau de la ville") == ["eau", "vill"]
    assert Words("en").of("the driver's") == ["driver"]


@pytest.mark.parametrize(
    ("language", "typed", "written"),
    [
        ("de", "kundigung", "Kündigung"),
        ("de", "kuendigung", "Kündigungen"),
        ("es", "garantia", "garantía"),
        ("es", "contrasena", "Contraseñas"),
        ("fr", "résiliation", "resiliation"),
        ("fr", "resilier", "résiliation"),
        ("fr", "deces", "décès"),
        ("fr", "oeil", "œil"),
    ],
)
def test_words_are_found_as_people_type_them(language: str, typed: str, written: str) -> None:
    words = Words(language)
    assert set(words.of(typed)) & set(words.indexed(written))
    assert set(words.of(written)) & set(words.indexed(written))


def test_stop_words_without_their_accents_are_no_terms() -> None:
    assert Words("es").of("tambien") == Words("es").indexed("también") == []


def test_accents_are_letters_where_they_were_not_measured() -> None:
    assert Words("sv").of("få") == Words("sv").indexed("få") == ["få"]


def test_an_index_with_accents_is_searched_with_them(tmp_path: Path) -> None:
    new = build(["La santé"], ["a"], "fr")
    new.save(tmp_path)
    assert Bm25.load(tmp_path).search(["sante"], 1).positions[0, 0] == 0
    old = json.loads((tmp_path / "words.json").read_bytes())
    assert old.pop("folded")
    (tmp_path / "words.json").write_text(json.dumps(old))
    assert Bm25.load(tmp_path).words.of("santé") == ["sant"]
    assert Bm25.load(tmp_path).words.of("décès") == ["déces"]


def test_text_without_spaces_is_read_in_pairs() -> None:
    assert Words("ja").of("東京都") == ["東京", "京都"]


def test_passages_without_a_shared_word_are_no_hits() -> None:
    hits = build().search(["counter", "zebra", ""], 6)
    assert list(hits.positions[0]) == [4, -1, -1, -1, -1, -1]
    assert (hits.positions[1:] == -1).all()
    assert np.isneginf(hits.scores[1:]).all()


def test_a_query_asked_twice_is_scored_once_for_each_who_asks() -> None:
    bm25 = build()
    scores = bm25.scores("helm ticket")
    assert bm25.scores("helm ticket") is scores
    few = bm25.among(np.array([0, 1]))
    assert few.scores("helm ticket")[2] == 0 < scores[2]
    assert bm25.scores("courier")[1] > 0


def scored(bm25: Bm25, query: str) -> list[float]:
    every = np.arange(len(bm25.ids), dtype=np.int32)[None, :]
    return [float(score) for score in bm25.score([query], every)[0]]


def test_candidates_score_higher_where_words_stand_together() -> None:
    bm25 = build(["Foster care, children", "Care: children, foster", "Nothing"], ["a", "b", "c"])
    words = bm25.scores("foster care")
    assert words[0] == words[1]
    together, apart, nothing = scored(bm25, "foster care")
    assert together > apart == words[1]
    assert nothing == -np.inf
    # Neither the other order, nor a word between, nor the next passage makes a pair.
    for query in ("care foster", "foster unknown care"):
        assert scored(bm25, query)[:2] == list(words[:2])
    parted = build(["sun foster", "care moon"], ["a", "b"])
    assert scored(parted, "foster care") == list(parted.scores("foster care"))


def test_a_pair_counts_as_a_word_does() -> None:
    texts = ["pump valve pump valve", "pump valve gasket", "valve pump", "gasket", "pump"]
    bm25 = build(texts, list("abcde"))
    passages = [text.split() for text in texts]
    mean = sum(map(len, passages)) / len(passages)

    def idf(word: str) -> float:
        holding = sum(word in passage for passage in passages)
        return math.log(1 + (len(passages) - holding + 0.5) / (holding + 0.5))

    weight = (idf("pump") + idf("valve")) / 2
    for place, (passage, count) in enumerate(zip(passages, (2, 1, 0, 0, 0), strict=True)):
        part = count / (count + 1.2 * (0.25 + 0.75 * len(passage) / mean))
        # The query says the pair twice.
        found = bm25.pair_scores("pump valve unknown pump valve", np.array([place], np.int32))
        assert found[0] == pytest.approx(2 * weight * part, rel=1e-6)


def test_pairs_weigh_by_the_passages_that_may_be_seen() -> None:
    texts = ["pump valve", "pump gasket", "valve gasket", "pump valve", "pump flange"]
    seen = np.array([0, 1, 2])
    alone = build([texts[row] for row in seen], ["a", "b", "c"])
    assert scored(build(texts, list("abcde")).among(seen), "pump valve")[:3] == pytest.approx(
        scored(alone, "pump valve"), rel=1e-6
    )


def test_an_index_saved_without_the_order_of_words_scores_by_words(tmp_path: Path) -> None:
    build().save(tmp_path)
    assert scored(Bm25.load(tmp_path), "courier desk") == scored(build(), "courier desk")
    assert scored(Bm25.load(tmp_path), "freight unpaid") == scored(build(), "freight unpaid")
    (tmp_path / "terms.npy").unlink()
    loaded = Bm25.load(tmp_path)
    assert scored(loaded, "freight unpaid")[0] == loaded.scores("freight unpaid")[0]


def test_equal_scores_are_ordered_by_id() -> None:
    hits = build(["pump text", "pump text", "pump text"], ["b", "c", "a"]).search(["pump"], 3)
    assert [["b", "c", "a"][place] for place in hits.positions[0]] == ["a", "b", "c"]


def test_the_ranking_agrees_with_rank_bm25_where_their_formulas_do() -> None:
    # rank-bm25's idf differs; with one term a query the order depends on the frequencies alone.
    texts = [
        f"{'pump ' * count}{'valve ' * (9 - count)}{'flange ' * (3 * count)}"
        for count in range(1, 9)
    ]
    texts += ["gasket"] * 12
    ids = [f"{place:02d}" for place in range(len(texts))]
    ours = Bm25.build(ids, texts, LexicalSettings(language="auto", k1=1.5, b=0.75), "xx")
    theirs = BM25Okapi([text.split() for text in texts], k1=1.5, b=0.75)
    for word in ("pump", "valve", "flange"):
        expected = np.argsort(-theirs.get_scores([word])[:8], kind="stable")
        assert list(ours.search([word], 8).positions[0]) == list(expected)


def test_a_loaded_index_gives_the_same_hits(tmp_path: Path) -> None:
    index = build()
    index.save(tmp_path / "lexical")
    for mmap in (False, True):
        loaded = Bm25.load(tmp_path / "lexical", mmap=mmap)
        assert (loaded.ids, loaded.language) == (index.ids, "en")
        for query in ("tariff filing", "ticket desk job"):
            np.testing.assert_array_equal(loaded.scores(query), index.scores(query))


def test_saved_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.argot.ranking.test_bm25 import build; "
        "build().save(Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):
        folder = str(tmp_path / seed)
        subprocess.run(
            [sys.executable, "-c", code, folder],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
    files = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert files
    assert [sha256(tmp_path / "1" / name) for name in files] == [
        sha256(tmp_path / "2" / name) for name in files
    ]


def test_building_says_nothing_on_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    build().search(["tariff"], 2)
    assert capfd.readouterr() == ("", "")


def test_passages_without_words_can_be_indexed() -> None:
    assert (build(["the", "…"], ["a", "b"]).search(["the pump"], 2).positions == -1).all()


def test_no_passages_and_unknown_languages_are_errors() -> None:
    with pytest.raises(InputError, match="no passages"):
        build([], [])
    with pytest.raises(ParamsError, match=r"lexical\.language: 'klingon'"):
        Bm25.build(["a"], ["b"], LexicalSettings(language="klingon", k1=1.2, b=0.75), "en")


def test_a_damaged_index_is_an_error(tmp_path: Path) -> None:
    build().save(tmp_path)
    (tmp_path / "vocab.index.json").write_text('{"": 0}')
    with pytest.raises(InputError, match="don't belong together"):
        Bm25.load(tmp_path)
    with pytest.raises(InputError, match="no BM25 index"):
        Bm25.load(tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("indices.csc.index.npy", np.full(30, 6, np.int32)),
        ("indices.csc.index.npy", np.full(30, -1, np.int32)),
        ("indices.csc.index.npy", np.zeros(30, np.float32)),
        ("data.csc.index.npy", np.zeros(3, np.float32)),
        ("indptr.csc.index.npy", np.zeros(0, np.int64)),
        ("indptr.csc.index.npy", np.array([0, 90, 30])),
        ("terms.npy", np.zeros(3, np.int32)),
        ("terms.npy", np.full(29, 99, np.int32)),
        ("offsets.npy", np.array([0, 29])),
        ("offsets.npy", np.array([0, 9, 5, 6, 7, 8, 29])),
        ("params.index.json", {"num_docs": 6, "dtype": "x"}),
        ("words.json", {"ids": "c3", "language": "en"}),
        ("words.json", {"ids": IDS, "language": []}),
        ("vocab.index.json", {"": 0, "pump": 99}),
    ],
)
def test_parts_that_bm25s_would_take_for_its_own_are_an_error(
    tmp_path: Path, name: str, wrong: Any
) -> None:
    build().save(tmp_path)
    if isinstance(wrong, dict):
        (tmp_path / name).write_text(json.dumps(wrong))
    else:
        np.save(tmp_path / name, wrong)
    with pytest.raises(InputError, match="BM25 index|indices|expected"):
        Bm25.load(tmp_path)


@pytest.mark.parametrize(("k1", "b"), [(-0.1, 0.5), (1.2, -0.1), (1.2, 1.1), (float("nan"), 0.5)])
def test_k1_and_b_out_of_their_range_are_refused(k1: float, b: float) -> None:
    with pytest.raises(ValidationError):
        LexicalSettings(language="auto", k1=k1, b=b)


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("hi", "कार विलंब शुल्क", ["कार", "विलंब", "शुल्क"]),
        ("th", "ค่า", ["ค่", "่า"]),
        ("zh", "起重机", ["起重", "重机"]),
        ("en", "10^6 pulses", ["10", "6", "puls"]),
    ],
)
def test_vowel_signs_belong_to_their_words(language: str, text: str, terms: list[str]) -> None:
    assert Words(language).of(text) == terms
