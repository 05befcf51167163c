from __future__ import annotations

import json
from pathlib import Path

import pytest

from argot import Retriever
from argot.errors import ModelError
from argot.search.rerank import Reranker


@pytest.fixture(scope="module")
def cross_encoder(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny one with random weights, over the tiny embedder's tokenizer."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("cross")
    tokenizer = AutoTokenizer.from_pretrained(made / "models" / "base")
    torch.manual_seed(13)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_passages_are_ordered_by_the_cross_encoder(made: Path, cross_encoder: Path) -> None:
    release = made / "models" / "release"
    plain = Retriever.load(release, device="cpu").search("pump seal", k=8, mode="dense")
    retriever = Retriever.load(release, device="cpu", reranker=cross_encoder)
    found = retriever.search("pump seal", k=3, mode="dense")
    assert [one.rank for one in found] == [1, 2, 3]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert retriever.reranker is not None
    scores = {
        one.id: retriever.reranker.scores("pump seal", [f"{one.heading}\n{one.text}".strip()])[0]
        for one in plain
    }
    best = sorted(scores, key=lambda id: -scores[id])[:3]
    assert [one.id for one in found] == best
    assert {one.id: one.ranks["dense"] for one in found} == {
        one.id: one.rank for one in plain if one.id in best
    }


def test_an_embedder_is_no_cross_encoder(made: Path) -> None:
    with pytest.raises(ModelError, match="is no cross-encoder"):
        Reranker(made / "models" / "base")


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no cross-encoder"):
        Reranker(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(ModelError, match="is no cross-encoder"):
        Reranker(tmp_path)


def test_only_the_first_are_read_again_whatever_k_is(
    made: Path, cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argot.search.retriever.RERANKED", 3)
    release = made / "models" / "release"
    plain = Retriever.load(release, device="cpu").search("pump seal", k=8, mode="dense")
    retriever = Retriever.load(release, device="cpu", reranker=cross_encoder)
    few, all_of_them = (retriever.search("pump seal", k, "dense") for k in (3, 8))
    assert [one.id for one in all_of_them[:3]] == [one.id for one in few]
    assert [one.id for one in all_of_them[3:]] == [one.id for one in plain[3:]]
    scores = [one.score for one in all_of_them]
    assert scores == sorted(scores, reverse=True)
    assert [one.rank for one in all_of_them] == list(range(1, 9))
