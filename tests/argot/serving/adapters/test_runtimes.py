from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from argot import Retriever
from argot.core.parquet import write_table
from argot.errors import InputError, ModelError
from argot.serving.adapters.runtimes import FILES, SAME, export_embedder, judged, load
from argot.serving.cli import app
from argot.tables import judgments
from tests.support.releases import reseal
from tools.deps import ROOT
from tools.tiny.release import QUERY

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("runtimes")]

# Of one token, of many, and of more than the model's window.
TEXTS = ["", "pump", "Error E-17 means the rotor is stuck.", "wages are paid " * 40]
RUNTIMES = [pytest.param(name, id=name) for name in FILES]


def judgment(system: str, relevant: list[str], **fields: object) -> dict[str, object]:
    """A row of the table of judgments, whose metrics don't matter here."""
    texts = dict.fromkeys(("id", "kind", "cluster"), "1")
    row = {"set": "pairs", "split": "test", "query": QUERY, "seen": False, "top": [], **texts}
    metrics = dict.fromkeys(judgments.METRICS, 0.0)
    return {**row, **metrics, "system": system, "relevant": relevant, **fields}


@pytest.fixture(scope="module")
def exported(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny release's model for each runtime, exported where one query was judged."""
    root, release = tmp_path_factory.mktemp("exported"), str(made / "models/release")
    rows = [judgment("tuned+bm25+tokens", ["returns.md#0"]), judgment("bm25", ["pay.md#0"])]
    write_table(root / judgments.PATH, rows, judgments.SCHEMA)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in FILES:
            command = ["export", name, "--format", name, "--release", release]
            done = CliRunner().invoke(app, command, catch_exceptions=False)
            (root / f"{name}.txt").write_text(done.stdout)
    return root


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_vectors_are_the_releases_whatever_their_batch(
    release: Path, exported: Path, runtime: str
) -> None:
    own = Retriever.load(release, device="cpu").embedder
    about = json.loads((exported / runtime / "about.json").read_text())
    assert about["prompts"] == own.prompts == {"query": "ask: ", "passage": ""}
    expected = own.encode_queries(TEXTS)
    prompted = [about["prompts"]["query"] + text for text in TEXTS]
    whole, small = (load(exported / runtime, file) for file in FILES[runtime])
    alone = np.concatenate([whole([text]) for text in prompted])
    for vectors in (whole(prompted), alone):
        assert np.abs(vectors - expected).max() < 1e-5
    assert 0.999 < (small(prompted) * expected).sum(axis=1).min() < 0.9999999


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_8_bits_cost_is_written_down(exported: Path, runtime: str) -> None:
    whole, small = json.loads((exported / runtime / "about.json").read_text())["files"]
    assert [whole["file"], small["file"]] == list(FILES[runtime])
    assert whole["worst"] >= SAME and small["worst"] < whole["worst"] <= small["mean"] + 1e-2
    assert small["bytes"] < whole["bytes"]
    assert whole["queries"] == 1 and whole["ndcg"] == whole["expected_ndcg"] > 0.5
    said = (exported / f"{runtime}.txt").read_text().splitlines()
    for line, one in zip(said, (whole, small), strict=True):
        assert one["file"] in line
        assert f"at worst {one['worst']:.4f}; nDCG@10 by vectors alone {one['ndcg']:.4f}, " in line


def test_the_pages_program_gives_the_releases_vector(
    release: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/integrate.md").read_text(encoding="utf-8")
    programs = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (program,) = (text for text in programs if "InferenceSession" in text)
    (tmp_path / "model").symlink_to(exported / "onnx")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(program, names)
    own = Retriever.load(release, device="cpu").embedder
    expected = own.encode_queries(["late return of an empty container"])
    assert np.abs(names["vectors"] - expected).max() < 1e-5


def test_the_graph_gives_the_tokens_vectors_too(release: Path, exported: Path) -> None:
    from onnxruntime import InferenceSession

    own = Retriever.load(release, device="cpu").embedder
    (batch,) = own.forward_stream(["pump seal"], "passage", lambda batch: batch)
    session = InferenceSession(exported / "onnx/onnx/model.onnx")
    inputs = {"input_ids": batch.ids[0][None].astype(np.int64)}
    inputs["attention_mask"] = np.ones_like(inputs["input_ids"])
    tokens = session.run(["last_hidden_state"], inputs)[0][0]
    assert np.abs(tokens - batch.states[0].numpy()).max() < 1e-5


def test_a_shorter_dimension_is_in_the_graph_and_nothing_of_this_machine(
    spoilt: Path, exported: Path, tmp_path: Path
) -> None:
    release = Retriever.load(spoilt, device="cpu")
    release.manifest = release.manifest.model_copy(update={"dimension": 8})
    again = Path(shutil.copytree(exported / "onnx", tmp_path / "again"))
    export_embedder(release, again, "onnx")  # it replaces the earlier export
    vectors = load(again, FILES["onnx"][0])(TEXTS)
    assert vectors.shape == (4, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert b"site-packages" not in (exported / "onnx/onnx/model.onnx").read_bytes()


def test_a_model_whose_vectors_differ_is_refused(spoilt: Path, tmp_path: Path) -> None:
    """Its pooling leaves out the prompt, and how long the prompt is no graph knows."""
    pooling = spoilt / "embedder/1_Pooling/config.json"
    pooling.write_text(json.dumps({**json.loads(pooling.read_text()), "include_prompt": False}))
    reseal(spoilt)
    release = Retriever.load(spoilt, device="cpu")
    with pytest.raises(ModelError, match=r"a cosine of 0\.\d+ with the release's own, expected"):
        export_embedder(release, tmp_path / "out", "onnx")
    assert not list(tmp_path.glob("out*"))


def test_another_folder_is_not_replaced(release: Path, exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported / "onnx", tmp_path / "out"))
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt in it is not of an export"):
        export_embedder(Retriever.load(release, device="cpu"), folder, "onnx")
    assert (folder / "notes.txt").read_text() == "mine"


def test_only_judgments_of_this_release_count(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Retriever.load(release, device="cpu")
    monkeypatch.chdir(tmp_path)
    assert judged(opened) == ([], [])
    system = "tuned+bm25+tokens"
    rows = [judgment(system, ["pay.md#0"]), judgment("bm25", ["pay.md#0"])]
    rows += [judgment(system, ["pay.md#0", "gone"], set="questions")]
    rows += [judgment(system, ["pay.md#1"], set="questions", query="overtime")]
    rows += [judgment(system, ["pay.md#1"], set="questions", query="dev", split="dev")]
    write_table(tmp_path / judgments.PATH, rows, judgments.SCHEMA)
    assert judged(opened) == (["overtime"], [[7]])
