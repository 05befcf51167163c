from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from argot import Retriever
from argot.core.parquet import write_table
from argot.encoding.embedder import fingerprint
from argot.encoding.store.encoded import tokens_of
from argot.encoding.store.vectors import read_vectors
from argot.errors import InputError, ModelError, ParamsError, ReleaseError
from argot.ranking.bm25 import LEXICAL
from argot.ranking.tokens import TokenIndex
from argot.search.index import VectorIndex
from argot.search.release import inventory, read_manifest
from argot.tables import chunks
from argot.tables.chunks import passage
from stages import index
from tests.support.limits import room
from tools.deps import ROOT
from tools.tiny.release import VERDICT, rows


def judge(**changes: Any) -> None:
    index.VERDICT.write_text(json.dumps({**VERDICT, **changes}))


def test_the_winner_is_released_with_its_own_vectors(inputs: Path) -> None:
    judge(model="base", verdict="unproven")
    index.main()
    assert fingerprint(index.RELEASE / "embedder") == fingerprint(index.MODELS / "base")
    texts = [passage(row["heading"], row["text"]) for row in rows()]
    stored = VectorIndex.load(index.RELEASE / "index.faiss")  # whose vectors are its own memory
    given = read_vectors(index.VECTORS / "base" / "passages").of(texts)
    assert np.array_equal(stored.vectors, given)


def test_the_same_inputs_give_the_same_bytes(inputs: Path) -> None:
    before = inventory(index.RELEASE)
    manifest = (index.RELEASE / "manifest.json").read_bytes()
    shutil.rmtree(index.RELEASE)
    index.main()
    assert inventory(index.RELEASE) == before
    assert (index.RELEASE / "manifest.json").read_bytes() == manifest


def test_the_manifest_has_all_that_search_must_know(inputs: Path) -> None:
    manifest = read_manifest(index.RELEASE)
    assert manifest.verdict.model_dump() == VERDICT
    assert manifest.fingerprint == fingerprint(index.MODELS / "tuned")
    assert manifest.prompts == {"query": "ask: "}
    assert (manifest.dimension, manifest.metric, manifest.kind, manifest.passages) == (
        32,
        "inner_product",
        "flat",
        8,
    )
    assert manifest.libraries["numpy"] == np.__version__
    assert manifest.verdict.system == "tuned+bm25+tokens"
    assert json.loads(Path("data/figures/index.json").read_text()) == manifest.figures


def test_queries_are_encoded_in_the_passages_precision(inputs: Path) -> None:
    file = Path("params.yaml")
    file.write_text(file.read_text().replace("precision: float32", "precision: bfloat16"))
    index.main()
    assert Retriever.load(index.RELEASE, device="cpu").embedder.precision == "bfloat16"


def test_the_winners_tokens_are_released_with_it(inputs: Path) -> None:
    judge(model="base", verdict="unproven")
    index.main()
    texts = [passage(row["heading"], row["text"]) for row in rows()]
    expected = tokens_of(index.VECTORS / "base" / "passages").of(texts)
    found = TokenIndex.load(index.RELEASE / "tokens")
    assert np.array_equal(found.codes, expected.codes)
    assert np.array_equal(found.offsets, expected.offsets)
    manifest = read_manifest(index.RELEASE)
    sizes = [file.bytes for name, file in manifest.files.items() if name.startswith("tokens/")]
    assert manifest.figures["token_bytes"] == sum(sizes) > 0


def test_a_verdict_without_tokens_releases_none(inputs: Path) -> None:
    judge(fusion={"method": "convex", "weights": {"bm25": 0.5, "dense": 0.5}}, calibration=None)
    index.main()
    manifest = read_manifest(index.RELEASE)
    assert set(manifest.rankers) == {"bm25", "dense"}
    assert "token_bytes" not in manifest.figures
    assert not (index.RELEASE / "tokens").exists()


def test_missing_tokens_are_an_error_and_the_former_release_stays(inputs: Path) -> None:
    before = inventory(index.RELEASE)
    shutil.rmtree(index.VECTORS / "tuned" / "passages" / "tokens")
    with pytest.raises(InputError, match=r"holds no token vectors; run `dvc repro`"):
        index.main()
    assert inventory(index.RELEASE) == before


def test_a_disk_that_fills_up_while_tokens_are_written_leaves_the_former_release(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, save = inventory(index.RELEASE), TokenIndex.save

    def limited(tokens: TokenIndex, folder: Path) -> None:
        with room(200):
            save(tokens, folder)

    monkeypatch.setattr(TokenIndex, "save", limited)
    with pytest.raises(OSError, match="File too large"):
        index.main()
    assert inventory(index.RELEASE) == before
    assert sorted(path.name for path in index.MODELS.iterdir()) == ["base", "release", "tuned"]


def test_what_did_not_make_a_release_leaves_its_bytes_alone(inputs: Path) -> None:
    before = (index.RELEASE / "manifest.json").read_bytes()
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("seed: 13", "seed: 14") + "# a comment\n")
    index.main()
    assert (index.RELEASE / "manifest.json").read_bytes() == before


def test_the_card_has_the_verdict_and_no_path_or_time(inputs: Path) -> None:
    card = (index.RELEASE / "README.md").read_text()
    assert "## Verdict: tuned\n\nFine-tuning was proven to help" in card
    assert "| Passages | 8 of 4 documents" in card
    assert str(inputs) not in card


def test_a_failure_leaves_the_former_release_whole(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inventory(index.RELEASE)
    monkeypatch.setattr(index, "model_card", lambda manifest: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        index.main()
    assert inventory(index.RELEASE) == before
    assert sorted(path.name for path in index.MODELS.iterdir()) == ["base", "release", "tuned"]


def test_a_model_with_a_pickle_is_not_released(inputs: Path) -> None:
    (index.MODELS / "tuned" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"pytorch_model.bin: only data files"):
        index.main()


def test_a_model_with_code_of_its_own_is_not_released(inputs: Path) -> None:
    path = index.MODELS / "tuned" / "modules.json"
    path.write_text(
        path.read_text().replace("sentence_transformers.models.Pooling", "custom.Pooling")
    )
    with pytest.raises(ModelError, match=r"custom.Pooling"):
        index.main()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"model": "best"}, "model"), ({"fusion": {"method": "convex"}}, r"fusion\.weights")],
)
def test_an_invalid_verdict_is_named_by_its_key(
    inputs: Path, changes: dict[str, Any], message: str
) -> None:
    judge(**changes)
    with pytest.raises(InputError, match=rf"verdict\.json: {message}"):
        index.main()


def test_a_missing_verdict_is_an_error(inputs: Path) -> None:
    index.VERDICT.unlink()
    with pytest.raises(InputError, match=r"verdict\.json is missing; run `dvc repro`"):
        index.main()


def test_a_release_links_to_its_documents(inputs: Path) -> None:
    change('\n  url: ""\n', "\n  url: https://wiki.example.com/kb/\n")
    index.main()
    best = Retriever.load(index.RELEASE, device="cpu").search("error E-17", 1, "bm25")[0]
    assert best.url == "https://wiki.example.com/kb/pumps/noise.md"
    change("url: https://wiki.example.com/kb/", "url: javascript:x")
    with pytest.raises(ParamsError, match=r"index\.url"):
        index.main()


def test_an_unknown_kind_of_index_is_an_error(inputs: Path) -> None:
    Path("params.yaml").write_text(
        (ROOT / "params.yaml").read_text().replace("kind: auto", "kind: tree")
    )
    with pytest.raises(ParamsError, match=r"index\.kind"):
        index.main()


def change(before: str, after: str) -> None:
    text = Path("params.yaml").read_text()
    assert before in text
    Path("params.yaml").write_text(text.replace(before, after))


def test_vectors_are_cut_on_request_and_search_cuts_queries_too(inputs: Path) -> None:
    change("  dim: 0\n", "  dim: 16\n")
    index.main()
    retriever = Retriever.load(index.RELEASE, device="cpu")
    assert retriever.manifest.dimension == 16
    assert np.allclose(np.linalg.norm(retriever.vectors, axis=1), 1)
    assert retriever.verify() == 8
    assert retriever.search(rows()[3]["text"], 1, "dense")[0].id == "pumps/noise.md#1"


def test_a_graph_is_built_on_request(inputs: Path) -> None:
    change("  kind: auto\n", "  kind: hnsw\n")
    index.main()
    manifest = read_manifest(index.RELEASE)
    assert (manifest.kind, manifest.figures["recall@10"]) == ("hnsw", 1.0)
    assert len(Retriever.load(index.RELEASE, device="cpu").search("pump", 5, "dense")) == 5


def test_more_dimensions_than_there_are_is_an_error(inputs: Path) -> None:
    change("  dim: 0\n", "  dim: 64\n")
    with pytest.raises(ParamsError, match=r"index\.dim: 64 is more than the model's 32"):
        index.main()


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_no_release_is_made_of_a_bm25_index_that_cannot_be_read(inputs: Path, how: str) -> None:
    made = (index.RELEASE / "manifest.json").read_bytes()
    for path in LEXICAL.iterdir():
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="BM25|can't be read"):
        index.main()
    assert (index.RELEASE / "manifest.json").read_bytes() == made


@pytest.mark.parametrize("metadata", ["[1]", "null", "{", '"text"'])
def test_metadata_that_are_no_object_are_one_line(inputs: Path, metadata: str) -> None:
    table = [*rows()[:-1], {**rows()[-1], "metadata": metadata}]
    write_table(chunks.PATH, table, chunks.SCHEMA)
    with pytest.raises(InputError, match=r"pay\.md: metadata must be a JSON object, got"):
        index.main()
