"""The whole stage on a small corpus whose vectors are made by hand: what a model knows is set for each query."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from argot.core.files import write_json
from argot.core.parquet import read_table, write_table
from argot.encoding.store.tokens import Tokens, pack, quantise, save_tokens
from argot.encoding.store.vectors import Vectors, key, write_vectors
from argot.evaluation.names import ALWAYS
from argot.evaluation.systems import VECTORS
from argot.tables import chunks, judgments, pairs, questions
from argot.tables.chunks import passage
from stages import evaluate, lexical

DOCUMENTS, CHUNKS, DIMENSION = 40, 4, 32
WORDS = [f"word{number}" for number in range(300)]


def unit(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def chunk_rows(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "chunk": f"chunk{document:02}{position}",
            "document": f"manual{document:02}.md",
            "group": f"manual{document:02}.md",
            "position": position,
            "title": f"Manual {document}",
            "heading": f"Manual {document} > Part {position}",
            "text": " ".join(rng.choice(WORDS, 30)),
            "start": 0,
            "end": 1,
            "language": "en",
            "metadata": "{}",
        }
        for document in range(DOCUMENTS)
        for position in range(CHUNKS)
    ]


def pair_row(chunk: dict[str, Any], query: str) -> dict[str, Any]:
    texts = dict.fromkeys(("provider", "model", "prompt", "reply"), "")
    place = {"document": chunk["document"], "start": 0, "end": 1}
    return {
        "pair": key(query)[:16],
        "query": query,
        "chunk": chunk["chunk"],
        "source": "sentence",
        "trusted": False,
        **place,
        **texts,
    }


def question_row(chunk: dict[str, Any], query: str) -> dict[str, Any]:
    return {
        "question": key(query)[:16],
        "query": query,
        "kind": "phone",
        "documents": [chunk["document"]],
        "chunks": [chunk["chunk"]],
        "cluster": chunk["group"],
        "source": "questions.jsonl",
    }


def tokenizer() -> str:
    """WordPiece that knows the even words; word7 is split into two pieces."""
    known = ["[UNK]", "ask", "word", *WORDS[::2], *(f"##{number}" for number in range(300))]
    made = Tokenizer(WordPiece({piece: at for at, piece in enumerate(known)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return str(made.to_str())


def tokens_of(texts: list[str], vectors: NDArray[np.float32], passages: bool) -> Tokens:
    """Two tokens a text, both of which point where `vectors` does."""
    codes, scales = (pack if passages else quantise)(np.repeat(vectors, 2, axis=0))
    ids = [np.array([3, 5], np.int32) for _ in texts]
    keys = [key(text) for text in texts]
    return Tokens(keys, ids, codes, scales, np.arange(0, 2 * len(texts) + 1, 2))


def add_tokens(folder: Path, base: float, tuned: float) -> None:
    """Add token vectors to a workspace; those of a query point at its passage by a skill."""
    rng = np.random.default_rng(5)
    rows = read_table(folder / chunks.PATH, chunks.SCHEMA).to_pylist()
    passages = [passage(row["heading"], row["text"]) for row in rows]
    place = {row["chunk"]: at for at, row in enumerate(rows)}
    answers: dict[str, int] = {}
    for module in (pairs, questions):
        for path in module.PATHS.values():
            for row in read_table(folder / path, module.SCHEMA).to_pylist():
                chunk = row["chunk"] if module is pairs else row["chunks"][0]
                answers[row["query"]] = place[chunk]
    for model, skill in (("base", base), ("tuned", tuned)):
        stored = unit(rng.normal(size=(len(rows), DIMENSION)))
        towards = 3 * skill * stored[list(answers.values())]
        asked = unit(towards + rng.normal(size=(len(answers), DIMENSION)))
        save_tokens(folder / VECTORS / model / "passages/tokens", tokens_of(passages, stored, True))
        for kind in ("pairs", "questions"):
            made = tokens_of(list(answers), asked, False)
            save_tokens(folder / VECTORS / model / kind / "tokens", made)


def workspace(
    folder: Path, base: float, tuned: float, asked: int = 120, seed: int = 1, unanswered: int = 0
) -> None:
    """A workspace ready to evaluate; a model's query vector is its passage's times skill, plus noise.

    That of a question that nothing answers is noise alone.
    """
    rng = np.random.default_rng(seed)
    rows = chunk_rows(rng)
    write_table(folder / chunks.PATH, rows, chunks.SCHEMA)
    targets: dict[str, int] = {}

    def query(at: int, name: str) -> str:
        text = f"{name} {' '.join(rng.choice(rows[at]['text'].split(), 2))} {' '.join(rng.choice(WORDS, 3))}"
        targets[text] = at
        return text

    (folder / evaluate.BASE).mkdir(parents=True, exist_ok=True)
    (folder / evaluate.BASE / "tokenizer.json").write_text(tokenizer(), encoding="utf-8")
    write_json(folder / evaluate.FETCHED, {"languages": ["en"]})
    for split, first, last in (("train", 0, 100), ("dev", 100, 130), ("test", 130, 160)):
        made = [
            pair_row(rows[at], query(at, f"{split}{n}"))
            for n in range(3)
            for at in range(first, last)
        ]
        write_table(folder / pairs.PATHS[split], made, pairs.SCHEMA)
    for split, count in (("train", 0), ("dev", 0), ("test", asked)):
        real = [question_row(rows[at % 160], query(at % 160, f"ask{at}")) for at in range(count)]
        write_table(folder / questions.PATHS[split], real, questions.SCHEMA)
    nobody = [f"nobody{at} {' '.join(rng.choice(WORDS, 3))}" for at in range(unanswered)]
    nothing = {"documents": [], "chunks": [], "cluster": ""}
    real = [{**question_row(rows[0], text), **nothing} for text in nobody]
    write_table(folder / questions.PATHS[questions.UNANSWERED], real, questions.SCHEMA)
    passages = [passage(row["heading"], row["text"]) for row in rows]
    for model, skill in (("base", base), ("tuned", tuned)):
        stored = unit(rng.normal(size=(len(rows), DIMENSION)))
        write_vectors(
            folder / VECTORS / model / "passages", Vectors([key(text) for text in passages], stored)
        )
        towards = unit(
            skill * stored[list(targets.values())] * 3 + rng.normal(size=(len(targets), DIMENSION))
        )
        noise = unit(rng.normal(size=(unanswered, DIMENSION)))
        keys = [key(text) for text in [*targets, *nobody]]
        for texts in ("pairs", "questions"):
            known = Vectors(keys, np.concatenate([towards, noise]))
            write_vectors(folder / VECTORS / model / texts, known)


def outcome(
    folder: Path, monkeypatch: pytest.MonkeyPatch, base: float, tuned: float, asked: int = 120
) -> tuple[dict[str, Any], dict[str, Any]]:
    workspace(folder, base, tuned, asked)
    return rerun(folder, monkeypatch)


def rerun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    shutil.copy(Path(__file__).parents[2] / "params.yaml", folder)
    monkeypatch.chdir(folder)
    lexical.main()
    evaluate.main()
    verdict = json.loads((folder / evaluate.VERDICT).read_text())
    return verdict, json.loads((folder / "data/figures/evaluate.json").read_text())


def test_a_model_that_knows_more_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, figures = outcome(tmp_path, monkeypatch, base=0.4, tuned=3.0)
    assert (verdict["model"], verdict["verdict"]) == ("tuned", "tuned")
    assert set(verdict) == {"model", "verdict", "system", "fusion", "calibration"}
    systems = figures["questions"]["test"]
    assert list(systems) == sorted(row for row in ALWAYS if "tokens" not in row)
    assert systems["tuned"]["ndcg@10"] > systems["base"]["ndcg@10"] + 0.2
    assert figures["differences"]["questions"]["test"]["tuned - base"]["ndcg@10"]["low"] > 0


def test_tokens_are_a_third_ranker_and_all_rows_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace(tmp_path, 1.0, 1.0)
    add_tokens(tmp_path, 2.0, 2.0)
    verdict, figures = rerun(tmp_path, monkeypatch)
    systems = figures["questions"]["test"]
    assert list(systems) == sorted(ALWAYS)
    assert systems["base+bm25+tokens"]["ndcg@10"] > systems["base+bm25"]["ndcg@10"] + 0.05
    assert verdict["system"] == "base+bm25+tokens"
    assert set(verdict["fusion"]["weights"]) == {"bm25", "dense", "tokens"}
    assert figures["verdict"]["over_today_low"] > 0
    carried = figures["fusion"]["questions"]["base+bm25+tokens"]
    assert carried["ndcg@10"] == systems["base+bm25+tokens"]["ndcg@10"]
    assert carried["best_ndcg@10"] >= carried["ndcg@10"]


def test_tokens_that_know_more_let_the_tuned_model_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace(tmp_path, 1.0, 1.0)
    add_tokens(tmp_path, 0.5, 3.0)
    verdict, figures = rerun(tmp_path, monkeypatch)
    assert (verdict["model"], verdict["system"]) == ("tuned", "tuned+bm25+tokens")
    assert figures["text"]["sides"] == ["base+bm25+tokens", "tuned+bm25+tokens"]


def test_tokens_that_know_nothing_do_not_ship_where_they_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace(tmp_path, 3.0, 3.0)
    add_tokens(tmp_path, -3.0, -3.0)
    verdict, figures = rerun(tmp_path, monkeypatch)
    means = {row: values["ndcg@10"] for row, values in figures["questions"]["test"].items()}
    assert means["base+bm25+tokens"] < means["base+bm25"] - 0.05
    assert "tokens" not in verdict["system"]


def test_scores_become_probabilities_and_tell_what_nothing_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace(tmp_path, 3.0, 3.0, unanswered=60)
    verdict, figures = rerun(tmp_path, monkeypatch)
    calibration, measured = verdict["calibration"], figures["probability"]
    assert set(calibration["scores"]) == set(verdict["fusion"]["weights"])
    assert (calibration["source"], calibration["rank"] < 0) == ("pairs", True)
    assert measured["unanswered"] == 60
    assert measured["auc"] > 0.9
    assert measured["auc_by_kind"] == {"phone": measured["auc"]}
    assert measured["error"] < 0.05
    told = measured["nothing_fits"]
    assert told["answered"] < 0.2 < told["unanswered"]


def test_a_model_that_knows_the_same_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, _ = outcome(tmp_path, monkeypatch, base=1.0, tuned=1.0)
    assert (verdict["model"], verdict["verdict"]) == ("base", "base")


def test_a_model_that_forgot_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, figures = outcome(tmp_path, monkeypatch, base=2.0, tuned=0.0)
    assert verdict["model"] == "base"
    assert figures["verdict"]["high"] < 0


def test_without_real_questions_nothing_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, figures = outcome(tmp_path, monkeypatch, base=0.4, tuned=3.0, asked=0)
    assert (verdict["model"], verdict["verdict"]) == ("base", "unproven")
    assert "test" not in figures["questions"]
    assert figures["pairs"]["test"]["tuned"]["ndcg@10"] > 0


def test_questions_on_trained_and_held_out_documents_are_measured_separately(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, figures = outcome(tmp_path, monkeypatch, base=1.0, tuned=2.0, asked=160)
    table = read_table(judgments.PATH, judgments.SCHEMA).to_pylist()
    real = [row for row in table if row["set"] == "questions" and row["system"] == "tuned"]
    assert {row["cluster"] for row in real if row["seen"]} == {
        f"manual{number:02}.md" for number in range(25)
    }
    for part, seen in (("seen", True), ("held_out", False)):
        mean = np.mean([row["ndcg@10"] for row in real if row["seen"] == seen])
        assert figures["questions"][part]["tuned"]["ndcg@10"] == pytest.approx(mean, abs=1e-6)
    assert not any(row["seen"] for row in table if row["set"] == "pairs")


def test_judgments_say_what_each_system_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome(tmp_path, monkeypatch, base=1.0, tuned=3.0)
    table = read_table(judgments.PATH, judgments.SCHEMA).to_pylist()
    assert len(table) == (120 + 90) * 5
    for row in table:
        assert len(row["top"]) <= 10
        rank = row["top"].index(row["relevant"][0]) + 1 if row["relevant"][0] in row["top"] else 0
        assert row["mrr@10"] == pytest.approx(1 / rank if rank else 0.0)
        assert row["document_recall@1"] == (row["top"][0][:7] == row["relevant"][0][:7])
        documents = list(dict.fromkeys(chunk[:7] for chunk in row["top"]))
        if row["relevant"][0][:7] in documents:
            assert (
                row["document_map"]
                == row["document_mrr@10"]
                == 1 / (documents.index(row["relevant"][0][:7]) + 1)
            )
    assert {metric for metric in table[0] if metric.startswith("document_")} == set(
        judgments.OF_DOCUMENTS
    )


def test_the_same_inputs_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome(tmp_path, monkeypatch, base=1.0, tuned=2.0)
    outputs = [
        tmp_path / path for path in (judgments.PATH, evaluate.VERDICT, "data/figures/evaluate.json")
    ]
    first = [path.read_bytes() for path in outputs]
    rerun(tmp_path, monkeypatch)
    assert [path.read_bytes() for path in outputs] == first


def test_a_copy_of_the_right_passage_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace(tmp_path, 1.0, 1.0)
    table = read_table(tmp_path / chunks.PATH, chunks.SCHEMA).to_pylist()
    original, copy = table[140], table[150]
    copy["heading"], copy["text"] = original["heading"], original["text"]
    write_table(tmp_path / chunks.PATH, table, chunks.SCHEMA)
    rerun(tmp_path, monkeypatch)
    found = read_table(judgments.PATH, judgments.SCHEMA).to_pylist()
    both = [
        row["relevant"]
        for row in found
        if original["chunk"] in row["relevant"] and row["set"] == "pairs"
    ]
    assert both and all(copy["chunk"] in relevant for relevant in both)


def test_slices_and_differences_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, figures = outcome(tmp_path, monkeypatch, base=0.5, tuned=2.0)
    sliced = figures["slices"]["questions"]
    assert set(sliced) == {"kind", "length", "jargon", "documents"}
    for name in ("kind", "length", "jargon"):
        assert sum(row["queries"] for row in sliced[name].values()) == 120
    both = figures["differences"]["questions"]["test"]
    assert len(both) == 10
    gain = both["tuned+bm25 - base+bm25"]["ndcg@10"]
    means = figures["questions"]["test"]
    assert gain["difference"] == pytest.approx(
        means["tuned+bm25"]["ndcg@10"] - means["base+bm25"]["ndcg@10"], abs=2e-6
    )
    assert gain["wins"] + gain["losses"] + gain["ties"] == 120
    assert len(sliced["kind"]["phone"]) == 6


def test_the_figures_say_how_the_weight_carries_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, figures = outcome(tmp_path, monkeypatch, base=0.5, tuned=2.0)
    carried = figures["fusion"]["questions"]["tuned+bm25"]
    assert carried["weights"] == verdict["fusion"]["weights"]
    assert carried["ndcg@10"] == figures["questions"]["test"]["tuned+bm25"]["ndcg@10"]
    assert carried["lost"] == pytest.approx(carried["best_ndcg@10"] - carried["ndcg@10"], abs=2e-6)
    assert carried["curve"][0]["convex"] == figures["questions"]["test"]["bm25"]["ndcg@10"]
    assert carried["curve"][-1]["rrf"] == figures["questions"]["test"]["tuned"]["ndcg@10"]
    assert figures["fusion"]["dev_is_real"] == 0


def test_advice_fits_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, figures = outcome(tmp_path, monkeypatch, base=0.5, tuned=2.0, asked=30)
    codes = [advice["code"] for advice in figures["text"]["advice"]]
    assert codes[:3] == ["few_questions", "few_documents", "few_pairs"]
    assert "30 real test questions" in figures["text"]["advice"][0]["text"]
