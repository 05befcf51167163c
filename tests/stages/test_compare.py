"""Further rows of the evaluation: managed models by the real client against a local server, and cut vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from argot.core.parquet import read_table, write_table
from argot.core.stage import run
from argot.encoding.store.vectors import Vectors, key, read_vectors, write_vectors
from argot.errors import ParamsError
from argot.evaluation.names import ALWAYS, named
from argot.evaluation.systems import VECTORS
from argot.llm.calls.store import Store
from argot.tables import chunks, judgments, questions
from argot.tables.chunks import passage
from stages import evaluate, lexical, synthesize
from tests.stages.test_evaluate import workspace
from tools.tiny import provider as server
from tools.tiny.provider import KEY, embedding, serving

REPOSITORY = Path(__file__).parents[2]
MANAGED = "text-embedding-3-small"

# The rows of a run without tokens.
ROWS = [row for row in ALWAYS if "tokens" not in row]


def further(
    folder: Path,
    patch: pytest.MonkeyPatch,
    server: Any,
    compare: list[str],
    dim: int = 0,
    **spend: float,
) -> dict[str, Any]:
    """The stage over the small corpus with further rows; its figures."""
    if not (folder / chunks.PATH).exists():
        workspace(folder, base=0.5, tuned=2.0)
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    params["evaluate"].update(compare=compare)
    params["index"]["dim"] = dim
    params["machine"]["compare"] = {"base_url": f"{server.url}/v1" if server else "", "texts": 40}
    params["spend"].update(spend)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    patch.chdir(folder)
    patch.setenv("OPENAI_API_KEY", KEY)
    lexical.main()
    evaluate.main()
    figures: dict[str, Any] = json.loads(
        Path("data/figures/evaluate.json").read_text(encoding="utf-8")
    )
    return figures


def test_a_managed_model_is_a_row_and_never_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as provider:
        figures = further(tmp_path, monkeypatch, provider, [MANAGED])
        texts = [text for call in provider.provider.calls for text in call["input"]]
        assert {call["model"] for call in provider.provider.calls} == {MANAGED}
        assert all(len(call["input"]) <= 40 for call in provider.provider.calls)
    assert (
        len(texts) == len(set(texts)) == 160 + 90 + 90 + 120
    )  # passages, dev and test pairs, test questions
    assert [*named(figures["questions"]["test"])] == [*ROWS, MANAGED, f"{MANAGED}+bm25"]
    found = figures["differences"]["questions"]["test"]
    assert len(found) == 21
    against = found[f"{MANAGED} - tuned"]["ndcg@10"]
    assert against["low"] <= against["difference"] <= against["high"]
    assert figures["fusion"]["questions"][f"{MANAGED}+bm25"]["weights"]["dense"] >= 0
    assert json.loads(evaluate.VERDICT.read_text())["model"] in ("base", "tuned")
    rows = read_table(judgments.PATH, judgments.SCHEMA).to_pylist()
    assert len(rows) == (120 + 90) * 7
    paid = figures["paid"][MANAGED]
    assert (paid["replies"], paid["status"], paid["tokens_out"]) == (460, {"good": 460}, 0)
    assert paid["usd"] == pytest.approx(paid["tokens_in"] * 0.02 / 1e6, abs=1e-6)


def test_the_row_is_what_its_vectors_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A managed model that has the base's own vectors gets the base's row, to the last bit."""
    workspace(tmp_path, base=2.0, tuned=0.5)
    stores = [read_vectors(tmp_path / VECTORS / "base" / kind) for kind in ("passages", "pairs")]
    rows = {
        name: row
        for store in stores
        for name, row in zip(store.keys, np.array(store.values), strict=True)
    }
    monkeypatch.setattr(server, "embedding", lambda text: rows[key(text)].tolist())
    with serving() as provider:
        test = further(tmp_path, monkeypatch, provider, [MANAGED])["questions"]["test"]
    assert test[MANAGED] == pytest.approx(test["base"], abs=1e-6)
    assert test[f"{MANAGED}+bm25"] == pytest.approx(test["base+bm25"], abs=1e-6)


def test_vectors_are_paid_once_and_need_no_key_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as provider:
        first = further(tmp_path, monkeypatch, provider, [MANAGED])
        calls = len(provider.provider.calls)
    again = further(tmp_path, monkeypatch, None, [MANAGED])  # nobody serves any more
    assert again == first
    assert calls == 460 // 40 + 1
    with Store() as store:
        assert {len(store.tries(reply.key)) for reply in store} == {1}
    assert synthesize.prune() == "0 replies dropped"


def test_a_new_passage_pays_for_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as provider:
        further(tmp_path, monkeypatch, provider, [MANAGED])
        before = len(provider.provider.calls)
        add_passage(tmp_path, "the new passage")
        further(tmp_path, monkeypatch, provider, [MANAGED])
        assert [call["input"] for call in provider.provider.calls[before:]] == [
            ["Manual 39\nthe new passage"]
        ]


def add_passage(folder: Path, text: str) -> None:
    """One passage more, with vectors of base and tuned."""
    rows = read_table(folder / chunks.PATH, chunks.SCHEMA).to_pylist()
    write_table(
        folder / chunks.PATH,
        [*rows, {**rows[-1], "chunk": "new", "heading": "Manual 39", "text": text}],
        chunks.SCHEMA,
    )
    for model in ("base", "tuned"):
        place = folder / VECTORS / model / "passages"
        known = read_vectors(place)
        values = np.concatenate([known.values, known.values[:1]])
        write_vectors(place, Vectors([*known.keys, key(f"Manual 39\n{text}")], values))


def test_without_key_and_replies_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stage() -> str:
        further(tmp_path, monkeypatch, None, [MANAGED])
        return ""

    monkeypatch.setattr(monkeypatch, "setenv", lambda *_: None)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(SystemExit) as end:
        run("evaluate", stage)
    assert end.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error
        == "evaluate: error: no key for openai: set OPENAI_API_KEY in the environment (in no file)"
    )


def test_a_name_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParamsError, match="'tuned' is a row already"):
        further(tmp_path, monkeypatch, None, ["tuned"])


def test_the_estimate_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as provider:
        further(tmp_path, monkeypatch, provider, [])
        params = yaml.safe_load(Path("params.yaml").read_text())
        params["evaluate"]["compare"] = [MANAGED]
        Path("params.yaml").write_text(yaml.safe_dump(params))
        before = evaluate.show_estimate()
        assert provider.provider.calls == []
        further(tmp_path, monkeypatch, provider, [MANAGED])
    assert (
        before.startswith(f"{MANAGED}: 460 texts, 0 vectors are there")
        and "nothing was spent" in before
    )
    assert evaluate.show_estimate().startswith(
        f"{MANAGED}: 460 texts, 460 vectors are there; the others: 0 tokens"
    )


def test_a_managed_model_that_is_significantly_better_is_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace(tmp_path, base=0.1, tuned=0.1)
    rows = read_table(tmp_path / chunks.PATH, chunks.SCHEMA).to_pylist()
    asked = read_table(tmp_path / questions.PATHS["test"], questions.SCHEMA).to_pylist()
    answers = {passage(row["heading"], row["text"]): row["chunk"] for row in rows}
    answers |= {row["query"]: row["chunks"][0] for row in asked}
    monkeypatch.setattr(server, "embedding", lambda text: embedding(answers.get(text, text)))
    with serving() as managed:
        figures = further(tmp_path, monkeypatch, managed, [MANAGED])
    advice = {item["code"]: item["text"] for item in figures["text"]["advice"]}
    assert advice["managed_ahead"].startswith(
        f"{MANAGED} is significantly better than all that could ship"
    )
    assert figures["verdict"]["ships_tuned"] == 0


def test_cut_vectors_are_rows_and_what_the_verdict_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = further(tmp_path, monkeypatch, None, [])
    cut = further(tmp_path, monkeypatch, None, [], dim=8)
    assert set(cut["questions"]["test"]) == {
        *ROWS,
        "base@8",
        "base@8+bm25",
        "tuned@8",
        "tuned@8+bm25",
    }
    for row in ROWS:
        assert cut["questions"]["test"][row] == whole["questions"]["test"][row]
    ships, stays = (
        cut["questions"]["test"][row]["ndcg@10"] for row in ("tuned@8+bm25", "base@8+bm25")
    )
    assert ships < whole["questions"]["test"]["tuned+bm25"]["ndcg@10"]
    assert cut["verdict"]["over_base"] == pytest.approx(ships - stays, abs=1e-6)
    assert cut["text"]["sides"] == ["base@8+bm25", "tuned@8+bm25"]
    assert cut["text"]["reason"].endswith("vectors cut to 8 dimensions")
    model = json.loads(evaluate.VERDICT.read_text())
    assert (
        model["fusion"]["weights"]["dense"]
        == cut["fusion"]["questions"][f"{model['model']}@8+bm25"]["weights"]["dense"]
    )


def test_more_dimensions_than_there_are_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ParamsError, match=r"index\.dim: 33 is more than the model's 32"):
        further(tmp_path, monkeypatch, None, [], dim=33)
