"""The studies on the tiny project: what they print is what their runs found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import studies
from tools.tiny.model import make_tiny_model
from tools.tiny.project import TINY_PARAMS, documents, questions


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project's documents, half of them as another corpus, and a tiny model."""
    folder = tmp_path_factory.mktemp("studies")
    documents(folder / "ships/raw")
    questions(folder / "ships/queries")
    texts = sorted((folder / "ships/raw").iterdir())
    make_tiny_model(folder / "model", [text.read_text(encoding="utf-8") for text in texts])
    (folder / "other/raw").mkdir(parents=True)
    for text in texts[::2]:
        (folder / "other/raw" / text.name).write_text(
            text.read_text(encoding="utf-8"), encoding="utf-8"
        )
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (
        ("WORKSPACES", place / "work"),
        ("REPORTS", place / "reports"),
        ("CACHE", place / "cache"),
    ):
        monkeypatch.setattr(studies, name, value)
    monkeypatch.setattr(studies, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(studies, "SEEDS", (13, 14))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return place


def told(here: Path, *words: str) -> list[dict[str, Any]]:
    params = {"fetch.model": f"path:{here / 'model'}", **TINY_PARAMS}
    studies.main([*words, *(f"--set={key}={value}" for key, value in params.items())])
    (path,) = (here / "reports").glob(f"*-{words[0]}*.json")
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


@pytest.mark.slow
@pytest.mark.xdist_group("studies")
@pytest.mark.usefixtures("warm_start")
def test_the_learning_curve_varies_the_training_pairs_alone(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    half, whole = told(here, "curve", str(here / "ships"))
    assert 0.3 < half["training rows"] / whole["training rows"] < 0.7
    untrained = ("bm25", "base", "questions")
    assert [half[name] for name in untrained] == [whole[name] for name in untrained]
    assert whole["gain"] == pytest.approx(whole["tuned+bm25"] - whole["base+bm25"], abs=2e-6)
    assert whole["ships"] == "base" and whole["questions"] == 12
    assert "ships-curve" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.xdist_group("studies")
@pytest.mark.usefixtures("warm_start")
def test_seeds_are_told_with_their_spread(here: Path) -> None:
    first, second, mean, spread = told(here, "seeds", str(here / "ships"))
    weights = [
        (here / f"work/ships-seed-{seed}/models/tuned/model.safetensors").read_bytes()
        for seed in (13, 14)
    ]
    assert weights[0] != weights[1]
    assert mean["tuned"] == pytest.approx((first["tuned"] + second["tuned"]) / 2)
    assert spread["tuned"] == pytest.approx(abs(first["tuned"] - second["tuned"]) / 2**0.5)
    assert spread["base"] == 0


@pytest.mark.slow
@pytest.mark.xdist_group("studies")
@pytest.mark.usefixtures("warm_start")
def test_the_guard_asks_both_models_about_another_corpus(here: Path) -> None:
    base, tuned, change = told(here, "guard", str(here / "ships"), str(here / "other"))
    assert (
        tuned["model"] == "tuned on ships" and tuned["pairs"] == base["pairs"] > 0
    )  # it has no real questions
    assert change["ndcg@10"] == pytest.approx(tuned["ndcg@10"] - base["ndcg@10"])
    assert change["low"] <= change["ndcg@10"] <= change["high"]
    of = [
        (here / f"work/{name}/models/{model}/model.safetensors").read_bytes()
        for name, model in (
            ("ships-guard", "tuned"),
            ("other-guarded-tuned", "base"),
            ("other-guarded-base", "base"),
        )
    ]
    assert of[0] == of[1] != of[2]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["seeds", "nowhere"], "nowhere/raw is missing; FOLDER must hold raw/"),
        (["curve", "ships", "--set", "mine.shar=1"], "params.yaml has no 'mine.shar'"),
        (["curve", "ships", "--set", "nothing.at.all=1"], "params.yaml has no 'nothing.at.all'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], line: str
) -> None:
    monkeypatch.chdir(here)
    with pytest.raises(SystemExit, match=line.replace("(", r"\(")):
        studies.main(words)


def test_a_param_is_read_as_yaml() -> None:
    given = studies.arguments(
        ["seeds", "data", "--set", "train.epochs=2", "--set", "train.merge=[0.5, 1.0]"]
    )
    assert dict(given.set) == {"train.epochs": 2, "train.merge": [0.5, 1.0]}
    with pytest.raises(SystemExit):
        studies.arguments(["seeds", "data", "--set", "epochs"])
    with pytest.raises(SystemExit):
        studies.arguments(["guard", "data"])
