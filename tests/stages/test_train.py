from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from argot.core.files import sha256
from argot.core.parquet import read_table, write_table
from argot.encoding.embedder import Embedder
from argot.errors import InputError, ModelError
from argot.tables import chunks, pairs, questions, training
from argot.tables.chunks import Corpus
from argot.training.student.data import read_training_data
from argot.training.student.step import RankingLoss, TextVectors
from stages import train
from tools.tiny.model import make_tiny_model

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = {
    "seed": 13, "epochs": 3, "max_passages": 1000, "passages": 8, "queries": 2, "hard_group": 2, "noisy_share": 0.0, "abbreviation_share": 0.0, "learning_rate": 0.001,
    "warm_up": 0.1, "patience": 3, "lora": 0, "matryoshka": [], "dropout": 0.0, "temperature": 0.05, "teacher_temperature": 0.1, "contrast": 0.1, "trusted_share": 0.5,
    "merge": [0.5, 1.0], "dev_queries": 20, "dev_passages": 30, "min_dev_questions": 2,
}  # fmt: skip
WORDS = [
    first + last
    for first in "bdfgklmnpr"
    for last in ("allast", "oom", "eam", "igger", "ulwark", "uoy")
]
WEIGHTS = Path("models/tuned/model.safetensors")


def configure(processes: int = 1, precision: str = "float32", **changed: Any) -> None:
    machine = {"device": "cpu", "processes": processes}
    Path("params.yaml").write_text(
        json.dumps(
            {
                "train": {**SETTINGS, **changed},
                "embed": {"precision": precision},
                "index": {"tokens": "auto"},
                "machine": machine,
            }
        )
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty passages of random words; a query is a word that its passage and two others share.

    Every third label is trusted.
    """
    monkeypatch.chdir(tmp_path)
    configure()
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(WORDS, 8, replace=False)) for _ in range(40)]
    make_tiny_model(Path("models/base"), texts)
    blank = {
        "group": "g",
        "title": "",
        "start": 0,
        "end": 1,
        "language": "en",
        "metadata": "{}",
        "position": 0,
    }
    rows = [
        {**blank, "chunk": f"c{n:02}", "document": f"d{n}", "heading": f"on {n}", "text": text}
        for n, text in enumerate(texts)
    ]
    write_table(chunks.PATH, rows, chunks.SCHEMA)
    lesson = [training_row(n, text.split()[0], texts) for n, text in enumerate(texts[:30])]
    write_table(training.PATH, lesson, training.SCHEMA)
    empty = {field.name: "" for field in pairs.SCHEMA} | {"trusted": False, "start": 0, "end": 1}
    dev = [
        {**empty, "pair": f"p{n}", "query": texts[n].split()[1], "chunk": f"c{n:02}"}
        for n in range(30, 40)
    ]
    write_table(pairs.PATHS["dev"], dev, pairs.SCHEMA)
    write_table(questions.PATHS["dev"], [], questions.SCHEMA)
    return tmp_path


def training_row(number: int, query: str, texts: list[str]) -> dict[str, Any]:
    holding = [n for n, text in enumerate(texts) if query in text.split() and n != number]
    others = holding + [n for n in range(len(texts)) if n not in holding and n != number][:3]
    return {
        "pair": f"t{number}", "query": query, "source": "keywords", "trusted": number % 3 == 0, "positive": f"c{number:02}",
        "score": 1.0, "candidates": [f"c{n:02}" for n in others],
        "scores": [0.6 if n in holding else 0.1 for n in others], "masked": [n in holding for n in others],
    }  # fmt: skip


def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("data/figures/train.json").read_text())
    return found


def begin(**streams: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "stages.train"], env=environment, **streams)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns_and_is_the_same_twice(project: Path, precision: str) -> None:
    configure(precision=precision)
    train.main()
    first, weights, told = sha256(WEIGHTS), load_file(WEIGHTS), figures()
    losses = [entry["loss"] for entry in told["curve"]]
    assert len(losses) == 3 and losses[-1] < losses[0]
    assert any(
        (weights[name] != value).any()
        for name, value in load_file("models/base/model.safetensors").items()
    )
    shutil.rmtree("cache")
    shutil.rmtree("models/tuned")
    train.main()
    assert sha256(WEIGHTS) == first
    assert figures() == told


def test_a_second_run_takes_up_what_is_finished(project: Path) -> None:
    train.main()
    first = sha256(WEIGHTS)
    shutil.rmtree("models/tuned")
    train.main()
    assert sha256(WEIGHTS) == first


def test_a_checkpoint_cut_short_is_not_taken_up(project: Path) -> None:
    for step, whole in ((4, True), (8, False)):
        folder = Path(f"cache/train/key/checkpoint-{step}")
        folder.mkdir(parents=True)
        (folder / train.STATE).write_text(
            json.dumps({"global_step": step}) if whole else '{"global_s'
        )
    assert train.last_checkpoint(Path("cache/train/key")) == "cache/train/key/checkpoint-4"
    assert not Path("cache/train/key/checkpoint-8").exists()


def test_the_model_folder_holds_no_card_with_the_time(project: Path) -> None:
    train.main()
    assert not list(Path("models/tuned").rglob("*.md"))
    assert not list(Path("models/tuned").rglob("*.bin"))


def test_trusted_labels_are_learnt_against_the_teacher(project: Path) -> None:
    """A teacher that ranks every own passage last is overruled by the label."""
    wrong = read_table(training.PATH, training.SCHEMA).to_pylist()
    for row in wrong:
        row |= {
            "score": 0.0,
            "scores": [1.0] * len(row["scores"]),
            "masked": [False] * len(row["scores"]),
        }
    ranks = {}
    for trusted in (False, True):
        rows = [{**row, "trusted": trusted} for row in wrong]
        write_table(training.PATH, rows, training.SCHEMA)
        configure(epochs=12, patience=12, merge=[1.0])
        train.main()
        assert figures()["trusted"] == 30 * trusted
        ranks[trusted] = cut_rank(32)
    assert ranks[True] > ranks[False] + 0.1


def test_a_loss_that_is_no_number_ends_in_one_line(project: Path) -> None:
    configure(learning_rate=4.0e9)
    with pytest.raises(ModelError, match=r"^[^\n]*train\.learning_rate[^\n]*$"):
        train.main()
    assert not Path("models/tuned").exists()


def test_max_passages_cuts_the_passes(project: Path) -> None:
    configure(max_passages=59)
    train.main()
    assert (figures()["passages"], len(figures()["curve"])) == (30, 1)


def test_weights_are_merged_with_the_base(project: Path) -> None:
    configure(merge=[0.5])
    train.main()
    half, base = load_file(WEIGHTS), load_file("models/base/model.safetensors")
    configure(merge=[1.0])
    train.main()
    whole = load_file(WEIGHTS)
    for name, value in half.items():
        assert np.allclose(value, (whole[name] + base[name]) / 2, atol=1e-6), name


def test_low_rank_adapters_are_trained_and_merged_into_the_weights(project: Path) -> None:
    configure(lora=2, merge=[1.0], learning_rate=0.02)
    train.main()
    tuned, base = load_file(WEIGHTS), load_file("models/base/model.safetensors")
    assert tuned.keys() == base.keys() and not list(Path("models/tuned").glob("adapter*"))
    changed = [name for name, value in tuned.items() if (value != base[name]).any()]
    assert changed
    for name in changed:
        learnt = np.linalg.svd((tuned[name] - base[name]).astype(np.float64), compute_uv=False)
        assert (learnt[2:] < 1e-4 * learnt[0]).all(), name  # of rank 2
    assert figures()["curve"][-1]["loss"] < figures()["curve"][0]["loss"]
    first = sha256(WEIGHTS)
    shutil.rmtree("models/tuned")
    train.main()  # from its last checkpoint
    assert sha256(WEIGHTS) == first


def test_vectors_are_trained_to_be_cut(project: Path) -> None:
    configure(epochs=12, patience=12, noisy_share=0.0, merge=[1.0])
    train.main()
    whole = cut_rank()
    configure(epochs=12, patience=12, noisy_share=0.0, merge=[1.0], matryoshka=[8])
    train.main()
    assert cut_rank() > whole + 0.1


def cut_rank(dimension: int = 8) -> float:
    """The mean reciprocal rank of the training queries' own passages, by vectors that are cut."""
    corpus = Corpus()
    lesson = read_training_data(corpus)
    embedder = Embedder.load(Path("models/tuned"), "cpu", dimension=dimension)
    scores = embedder.encode_queries(lesson.queries) @ embedder.encode_passages(corpus.passages).T
    own = scores[np.arange(len(scores)), lesson.own]
    return float((1 / (scores >= own[:, None]).sum(axis=1)).mean())


def test_a_size_that_is_no_cut_is_refused(project: Path) -> None:
    configure(matryoshka=[4096])
    with pytest.raises(InputError, match=r"train\.matryoshka.* got 4096"):
        train.main()


def test_training_ends_early_where_dev_gains_nothing_more(project: Path) -> None:
    configure(epochs=9, patience=1, learning_rate=1.5e-9)
    train.main()
    assert len(figures()["curve"]) == 2


def test_real_dev_questions_choose_where_there_are_enough(project: Path) -> None:
    blank = {"kind": "", "documents": ["d1"], "cluster": "g", "source": "q.jsonl:1"}
    rows = [{**blank, "question": f"q{n}", "query": "boom", "chunks": [f"c0{n}"]} for n in range(3)]
    write_table(questions.PATHS["dev"], rows, questions.SCHEMA)
    train.main()
    assert (figures()["dev_real"], figures()["dev_queries"]) == (True, 3)


@pytest.mark.slow
def test_running_out_of_memory_is_answered_with_smaller_batches(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train.main()
    whole = load_file(WEIGHTS)
    shutil.rmtree("cache")
    encoded, seen = RankingLoss._encoded, []

    def scarce(loss: RankingLoss, features: dict[str, Any]) -> TextVectors:
        seen.append(features["input_ids"].numel())
        if len(seen) > 20 and seen[-1] > 64:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encoded(loss, features)

    monkeypatch.setattr(RankingLoss, "_encoded", scarce)
    train.main()
    assert max(seen) > 64 >= seen[-1]
    assert all(
        np.allclose(value, whole[name], atol=1e-3) for name, value in load_file(WEIGHTS).items()
    )


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_bytes(project: Path) -> None:
    configure(epochs=40, patience=40, learning_rate=0.0001, noisy_share=0.5)
    assert begin().wait(300) == 0
    first = sha256(WEIGHTS)
    shutil.rmtree("cache")
    shutil.rmtree("models/tuned")
    running = begin()
    deadline = time.monotonic() + 200
    while not list(Path("cache").rglob(train.STATE)) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not WEIGHTS.exists()
    assert begin().wait(300) == 0
    assert sha256(WEIGHTS) == first


@pytest.mark.slow
def test_two_processes_train_what_one_trains(project: Path) -> None:
    """Steps of seven passages, so that shares are uneven; then a second run, from the checkpoint of two processes."""
    configure(passages=7)
    assert begin().wait(300) == 0
    one, alone = figures(), load_file(WEIGHTS)
    shutil.rmtree("cache")
    configure(passages=7, processes=2)
    assert begin().wait(300) == 0
    two, first = figures(), sha256(WEIGHTS)
    assert {path.name for path in Path("cache").rglob("rng_state*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }
    losses = [[entry["loss"] for entry in told["curve"]] for told in (one, two)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    apart = [
        np.abs(value - alone[name]).ravel() > 1e-5 for name, value in load_file(WEIGHTS).items()
    ]
    # Adam moves a weight by the learning rate however small its gradient is. Where rounding is all
    # of the gradient, as it is of a key's bias, any other order of sums moves the weight elsewhere.
    assert np.concatenate(apart).mean() < 0.01
    shutil.rmtree("models/tuned")
    assert begin().wait(300) == 0
    assert sha256(WEIGHTS) == first and figures() == two


@pytest.mark.slow
def test_of_several_processes_the_first_tells_what_is_wrong(project: Path) -> None:
    configure(processes=2)
    training.PATH.unlink()
    running = begin(stderr=subprocess.PIPE)
    told = running.communicate(timeout=300)[1].decode()
    assert running.returncode == 2
    assert (
        told.startswith("train: error: data/training.parquet is missing") and told.count("\n") == 1
    )
