from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from argot import Retriever
from argot.errors import InputError
from argot.search.rights import ALL
from argot.serving.adapters import export
from argot.serving.adapters.export import export_passages
from tests.support.releases import without_tokens
from tests.support.rights import SEEN


@pytest.fixture(scope="module")
def retriever(made: Path) -> Retriever:
    return Retriever.load(made / "models" / "release", device="cpu")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_form_holds_the_same_passages_and_vectors(
    retriever: Retriever, tmp_path: Path
) -> None:
    for form in ("parquet", "jsonl", "npy"):
        assert export_passages(retriever, tmp_path / form, form) == 8  # type: ignore[arg-type]
    table = pq.read_table(tmp_path / "parquet" / "passages.parquet")
    rows = lines(tmp_path / "jsonl" / "passages.jsonl")
    assert (
        table["chunk"].to_pylist()
        == [row["chunk"] for row in rows]
        == retriever.chunks["chunk"].to_pylist()
    )
    assert table["embedded"].to_pylist() == [
        row["embedded"] for row in lines(tmp_path / "npy" / "passages.jsonl")
    ]
    vectors = np.load(tmp_path / "npy" / "vectors.npy", allow_pickle=False)
    assert np.array_equal(np.stack(table["vector"].to_numpy()), vectors)
    assert np.array_equal(np.array([row["vector"] for row in rows], np.float32), vectors)


def test_the_fingerprint_of_the_model_goes_with_them(retriever: Retriever, tmp_path: Path) -> None:
    export_passages(retriever, tmp_path / "out", "parquet")
    about = json.loads((tmp_path / "out" / "about.json").read_text())
    assert about["fingerprint"] == retriever.manifest.fingerprint
    schema = pq.read_schema(tmp_path / "out" / "passages.parquet")
    assert schema.metadata[b"fingerprint"].decode() == about["fingerprint"]


def test_qdrant_finds_what_the_release_finds(retriever: Retriever, tmp_path: Path) -> None:
    qdrant = pytest.importorskip("qdrant_client")
    models = qdrant.models
    export_passages(retriever, tmp_path / "out", "jsonl")
    client = qdrant.QdrantClient(":memory:")
    size = retriever.manifest.dimension
    client.create_collection(
        "docs", vectors_config=models.VectorParams(size=size, distance=models.Distance.DOT)
    )
    points = [
        models.PointStruct(id=place, vector=row.pop("vector"), payload=row)
        for place, row in enumerate(lines(tmp_path / "out" / "passages.jsonl"))
    ]
    client.upsert("docs", points)
    for question in ("error E-17", "when are wages paid"):
        vector = retriever.embedder.encode_queries([question])[0].tolist()
        found = [
            point.payload["chunk"]
            for point in client.query_points("docs", query=vector, limit=5).points
        ]
        assert found == [one.id for one in retriever.search(question, 5, "dense")]


@pytest.mark.parametrize("weighed", [False, True])
def test_qdrant_ranks_by_tokens_as_the_release_does(
    retriever: Retriever, tmp_path: Path, weighed: bool
) -> None:
    qdrant = pytest.importorskip("qdrant_client")
    models = qdrant.models
    export_passages(retriever, tmp_path / "out", "parquet")
    rows = pq.read_table(tmp_path / "out" / "passages.parquet", columns=["tokens"]).to_pylist()
    rarity = np.load(tmp_path / "out" / "rarity.npy", allow_pickle=False)
    client = qdrant.QdrantClient(":memory:")
    many = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    by_token = models.VectorParams(
        size=retriever.manifest.dimension,
        distance=models.Distance.DOT,
        multivector_config=many,
    )
    client.create_collection("docs", vectors_config=by_token)
    points = [models.PointStruct(id=at, vector=row["tokens"]) for at, row in enumerate(rows)]
    client.upsert("docs", points)
    for question in ("error E-17", "when are wages paid"):
        asked = retriever.encoder.tokens([question])
        weights = rarity[np.minimum(asked.ids[0], len(rarity) - 1)]
        weights = weights if weighed else np.ones(len(weights))
        vectors = asked.vectors(0) * (weights / weights.sum())[:, None]
        points = client.query_points("docs", query=vectors.tolist(), limit=8).points
        index = copy.copy(retriever.tokens)
        if not weighed:
            index.rarity = np.ones_like(index.rarity)
        expected = index.score(asked, np.arange(8, dtype=np.int32)[None])[0]
        assert [point.score for point in points] == pytest.approx(sorted(expected)[::-1], abs=1e-5)
        assert [point.id for point in points] == np.argsort(-expected).tolist()


def test_without_tokens_there_is_no_column_of_them(spoilt: Path, tmp_path: Path) -> None:
    without_tokens(spoilt)
    export_passages(Retriever.load(spoilt, device="cpu"), tmp_path / "out", "parquet")
    held = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert held == ["about.json", "passages.parquet"]
    assert "tokens" not in pq.read_schema(tmp_path / "out" / "passages.parquet").names


def test_blocks_are_written_one_after_the_other(
    retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_passages(retriever, tmp_path / "whole", "parquet")
    monkeypatch.setattr(export, "BLOCK", 3)
    export_passages(retriever, tmp_path / "parts", "parquet")
    whole, parts = (
        pq.read_table(tmp_path / name / "passages.parquet") for name in ("whole", "parts")
    )
    assert parts.equals(whole)


def test_an_earlier_export_is_replaced(retriever: Retriever, tmp_path: Path) -> None:
    for form in ("npy", "parquet"):
        export_passages(retriever, tmp_path / "out", form)  # type: ignore[arg-type]
    held = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert held == ["about.json", "passages.parquet", "rarity.npy"]
    export_passages(retriever, tmp_path / "out", "npy")
    assert not (tmp_path / "out" / "rarity.npy").exists()


@pytest.mark.parametrize("name", ["x", ".git/config", "passages.parquet"])
def test_a_folder_that_is_no_export_is_refused_and_stays(
    retriever: Retriever, tmp_path: Path, name: str
) -> None:
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("my only copy")
    with pytest.raises(InputError, match="out is not empty"):
        export_passages(retriever, tmp_path / "out", "npy")
    assert mine.read_text() == "my only copy"


def test_what_was_added_to_an_export_is_named_and_stays(
    retriever: Retriever, tmp_path: Path
) -> None:
    export_passages(retriever, tmp_path / "out", "npy")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt in it is not of an export"):
        export_passages(retriever, tmp_path / "out", "npy")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("target", [".", "..", "file", "link", "out"])
def test_no_other_target_is_touched(
    retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    here = tmp_path / "p/q"
    (here / "real").mkdir(parents=True)
    (here / "real/mine").write_text("mine")
    (here / "file").write_text("mine")
    (here / "link").symlink_to("real")
    (here / "out.beside").mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(InputError):
        export_passages(retriever, Path(target), "npy")
    assert (here / "real/mine").read_text() == (here / "file").read_text() == "mine"
    assert (here / "out.beside").is_dir() and (here / "link").is_symlink()


def test_a_group_gets_what_it_may_see_in_every_form(restricted: Path, tmp_path: Path) -> None:
    release = Retriever.load(restricted, device="cpu")
    kept = [row["document"] in SEEN["legal"] for row in release.chunks.to_pylist()]
    for form in ("parquet", "jsonl", "npy"):
        count = export_passages(release, tmp_path / form, form, {"legal"})  # type: ignore[arg-type]
        assert count == 4
        assert json.loads((tmp_path / form / "about.json").read_text())["passages"] == 4
    table = pq.read_table(tmp_path / "parquet" / "passages.parquet")
    assert set(table["document"].to_pylist()) == SEEN["legal"]
    for form in ("jsonl", "npy"):
        found = lines(tmp_path / form / "passages.jsonl")
        assert [row["chunk"] for row in found] == table["chunk"].to_pylist()
    expected = release.vectors[kept]
    assert np.array_equal(np.load(tmp_path / "npy" / "vectors.npy"), expected)
    assert np.array_equal(np.array(table["vector"].to_pylist(), np.float32), expected)
    tokens = release.tokens.among(np.flatnonzero(kept))
    assert np.array_equal(np.load(tmp_path / "parquet" / "rarity.npy"), tokens.rarity)
    shown = [len(vectors) for vectors in table["tokens"].to_pylist()]
    assert shown == np.diff(release.tokens.offsets)[kept].tolist()
    with pytest.raises(InputError, match="access rights"):
        export_passages(release, tmp_path / "none", "npy")
    assert not (tmp_path / "none").exists()
    assert export_passages(release, tmp_path / "all", "npy", ALL) == 8
