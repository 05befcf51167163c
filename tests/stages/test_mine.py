from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.core.parquet import read_table, write_table
from argot.encoding.store.vectors import Vectors, key, write_vectors
from argot.errors import InputError, ParamsError
from argot.ranking.bm25 import Bm25, LexicalSettings
from argot.tables import chunks, pairs, training
from argot.tables.chunks import passage
from argot.training.teacher import ranking
from argot.training.teacher.ranking import HORIZON
from stages import lexical, mine

WORDS = ["anchor", "bilge", "cargo", "drill", "engine", "fuel", "galley", "hull"]
SETTINGS = {
    "share": 1.0,
    "dense_weight": 0.5,
    "candidates": 6,
    "round_trip": 5,
    "skip_rate": 0.2,
    "duplicate": 0.95,
    "judge": 0,
    "judge_candidates": 2,
}
LEXICAL = LexicalSettings(language="en", k1=1.2, b=0.75)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def texts(count: int, random: np.random.Generator) -> list[str]:
    return [" ".join(random.choice(WORDS, 6)) for _ in range(count)]


def corpus(count: int = 40, seed: int = 1) -> mine.Passages:
    random = np.random.default_rng(seed)
    bm25 = Bm25.build([str(n) for n in range(count)], texts(count, random), LEXICAL, "en")
    document = np.arange(count) // 4
    return mine.Passages(
        unit(random.normal(size=(count, 8))), bm25, document, document // 2, np.arange(count) % 4
    )


def settings(**changed: float) -> mine.MineSettings:
    return mine.MineSettings.model_validate({**SETTINGS, **changed})


def by_loops(
    query: str, vector: NDArray[np.float32], corpus: mine.Passages, weight: float
) -> list[float]:
    """The teacher's scores as its definition says them, one passage after the other."""
    dense = [float(vector @ other) for other in corpus.vectors]
    lexical = [float(score) for score in corpus.bm25.scores(query)]
    low = sorted(dense, reverse=True)[min(HORIZON, len(dense) - 1)]
    return [
        (1 - weight) * word / max(lexical) + weight * max(0.0, (near - low) / (max(dense) - low))
        for word, near in zip(lexical, dense, strict=True)
    ]


def project(folder: Path, queries: list[str], rows: list[dict[str, object]]) -> None:
    """Write params, chunks, pairs (query n stands for chunk n) and random vectors."""
    (folder / "params.yaml").write_text(
        json.dumps({"mine": SETTINGS, "lexical": LEXICAL.model_dump()})
    )
    blank = {
        "group": "g",
        "title": "",
        "heading": "",
        "start": 0,
        "end": 1,
        "language": "en",
        "metadata": "{}",
    }
    write_table(chunks.PATH, [{**blank, **row} for row in rows], chunks.SCHEMA)
    lexical.main()
    empty = {field.name: "" for field in pairs.SCHEMA}
    blank = {**empty, "source": "keywords", "trusted": False, "start": 0, "end": 1}
    made = [
        {**blank, "pair": f"p{n}", "query": query, "chunk": rows[n]["chunk"]}
        for n, query in enumerate(queries)
    ]
    write_table(pairs.PATHS["train"], made, pairs.SCHEMA)
    random = np.random.default_rng(2)
    passages = [passage(str(row.get("heading", "")), str(row["text"])) for row in rows]
    for name, embedded in (("passages", passages), ("pairs", queries)):
        distinct = list(dict.fromkeys(embedded))
        vectors = unit(random.normal(size=(len(distinct), 8)))
        write_vectors(mine.VECTORS / name, Vectors([key(text) for text in distinct], vectors))


def test_scores_and_candidates_are_those_of_a_plain_loop() -> None:
    found, random = corpus(), np.random.default_rng(7)
    queries, vectors = texts(12, random), unit(random.normal(size=(12, 8)))
    positives = random.integers(0, 40, 12)
    mined = mine.mine(queries, vectors, positives, found, settings())
    for row, query in enumerate(queries):
        scores = by_loops(query, vectors[row], found, 0.5)
        own = positives[row]
        assert mined.score[row] == pytest.approx(scores[own], abs=1e-5)
        assert mined.rank[row] == sum(score > scores[own] + 1e-6 for score in scores)
        others = sorted(
            (place for place in range(40) if place != own), key=lambda place: -scores[place]
        )[:6]
        assert mined.scores[row] == pytest.approx([scores[place] for place in others], abs=1e-5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found, random = corpus(), np.random.default_rng(7)
    arguments = (
        texts(12, random),
        unit(random.normal(size=(12, 8))),
        random.integers(0, 40, 12),
        found,
        settings(),
    )
    whole = mine.mine(*arguments)
    monkeypatch.setattr(mine, "QUERIES", 5)
    monkeypatch.setattr(ranking, "BLOCK", 100)
    parts = mine.mine(*arguments)
    assert (whole.candidates == parts.candidates).all()
    assert np.allclose(whole.scores, parts.scores, atol=1e-6)


def test_neighbours_copies_and_near_copies_are_related() -> None:
    found = corpus()
    found.vectors[30] = found.vectors[5]
    candidates = np.array(
        [[4, 6, 7, 1, 30, 20]]
    )  # 5 stands in document 1, group 0: documents 0 and 1
    related = mine.related(candidates, np.array([5]), found, 0.95)
    assert related.tolist() == [[True, True, False, True, True, False]]


def test_the_margin_masks_the_share_that_was_asked_for() -> None:
    found, random = corpus(200), np.random.default_rng(3)
    queries, vectors = texts(300, random), unit(random.normal(size=(300, 8)))
    mined = mine.mine(
        queries, vectors, random.integers(0, 200, 300), found, settings(candidates=10)
    )
    rows = np.arange(300)
    margin = mine.calibrated(mined, rows, 0.3)
    masked = mined.scores >= margin * mined.score[:, None]
    assert masked[~mined.related].mean() == pytest.approx(0.3, abs=0.01)


def test_the_stage_writes_rows_that_name_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(4)
    rows: list[dict[str, object]] = [
        {
            "chunk": f"c{n}",
            "document": f"d{n // 2}",
            "group": f"d{n // 2}",
            "position": n % 2,
            "text": text,
        }
        for n, text in enumerate(texts(30, random))
    ]
    project(tmp_path, [str(row["text"]) for row in rows[:20]], rows)
    mine.main()
    table = read_table(training.PATH, training.SCHEMA)
    first = table.slice(0, 1).to_pylist()[0]
    assert len(first["candidates"]) == len(first["scores"]) == len(first["masked"]) == 6
    assert first["positive"] not in first["candidates"]
    figures = json.loads(Path("data/figures/mine.json").read_text())
    assert figures["rows"] + sum(figures["not_found_again"].values()) == figures["pairs"] == 20
    before = training.PATH.read_bytes()
    mine.main()
    assert training.PATH.read_bytes() == before


def test_a_pair_that_is_not_found_again_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows: list[dict[str, object]] = [
        {
            "chunk": f"c{n}",
            "document": f"d{n}",
            "group": f"d{n}",
            "position": 0,
            "text": f"{word} {word} word",
        }
        for n, word in enumerate(WORDS)
    ]
    project(tmp_path, ["anchor anchor", "galley hull fuel engine drill cargo"], rows)
    mine.main()
    figures = json.loads(Path("data/figures/mine.json").read_text())
    assert (figures["rows"], figures["not_found_again"]) == (1, {"keywords": 1})


def test_a_trusted_label_is_first_whatever_the_teacher_thinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows: list[dict[str, object]] = [
        {
            "chunk": f"c{n}",
            "document": f"d{n}",
            "group": f"d{n}",
            "position": 0,
            "text": f"{word} {word} word",
        }
        for n, word in enumerate(WORDS)
    ]
    project(tmp_path, ["anchor anchor", "galley hull fuel engine drill cargo"], rows)
    made = read_table(pairs.PATHS["train"], pairs.SCHEMA).to_pylist()
    write_table(pairs.PATHS["train"], [made[0], {**made[1], "trusted": True}], pairs.SCHEMA)
    mine.main()
    kept = read_table(training.PATH, training.SCHEMA).to_pylist()
    assert [row["query"] for row in kept] == [row["query"] for row in made]
    assert kept[1]["positive"] == "c1"
    assert kept[1]["score"] == max(kept[1]["scores"])
    assert [row["trusted"] for row in kept] == [False, True]


def test_no_pair_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path, [], [{"chunk": "c", "document": "d", "position": 0, "text": "one"}])
    with pytest.raises(InputError, match="holds no pair"):
        mine.main()


def test_a_corpus_of_one_passage_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path, ["one"], [{"chunk": "c", "document": "d", "position": 0, "text": "one"}])
    with pytest.raises(InputError, match="holds 1 passage, and training compares"):
        mine.main()


def test_a_smaller_share_of_the_pairs_is_part_of_a_larger_one() -> None:
    names = [f"pair{number}" for number in range(2000)]
    quarter, half, whole = (
        np.array(mine.drawn(names, share).to_pylist()) for share in (0.25, 0.5, 1.0)
    )
    assert whole.all() and (half >= quarter).all()
    assert quarter.mean() == pytest.approx(0.25, abs=0.03) and half.mean() == pytest.approx(
        0.5, abs=0.03
    )


def test_a_share_of_the_pairs_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    rows: list[dict[str, object]] = [
        {"chunk": f"c{n}", "document": f"d{n}", "group": f"d{n}", "position": 0, "text": text}
        for n, text in enumerate(texts(40, random))
    ]
    project(tmp_path, [str(row["text"]) for row in rows], rows)
    (tmp_path / "params.yaml").write_text(
        json.dumps(
            {"mine": {**SETTINGS, "share": 0.5, "round_trip": 40}, "lexical": LEXICAL.model_dump()}
        )
    )
    mine.main()
    trained = read_table(training.PATH, training.SCHEMA)["pair"].to_pylist()
    assert trained == [f"p{n}" for n in range(40) if mine.drawn([f"p{n}"], 0.5)[0].as_py()]
    assert 10 < len(trained) < 30


def test_the_old_name_of_the_weight_says_that_the_new_one_is_its_opposite() -> None:
    with pytest.raises(ParamsError, match=r"write 1 minus the old value"):
        settings(bm25_weight=0.3)


def test_by_vectors_alone_or_by_words_alone_the_loop_agrees() -> None:
    found, random = corpus(), np.random.default_rng(7)
    queries, vectors = texts(4, random), unit(random.normal(size=(4, 8)))
    for weight in (0.0, 0.3, 1.0):
        mined = mine.mine(queries, vectors, np.arange(4), found, settings(dense_weight=weight))
        for row, query in enumerate(queries):
            scores = by_loops(query, vectors[row], found, weight)
            assert mined.score[row] == pytest.approx(scores[row], abs=1e-5)
