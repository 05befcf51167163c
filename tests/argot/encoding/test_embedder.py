from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.encoding.embedder import ROLES, Embedder, Role, fingerprint
from argot.encoding.fast.precision import Precision
from argot.encoding.store.vectors import shorten
from argot.errors import ModelError
from tests.support.threads import torch_threads
from tools.tiny.model import make_tiny_model

SENTENCE = "return the damaged pump within thirty days and keep its invoice for a refund of all costs by mail"
WORDS = SENTENCE.split()
TEXTS = [
    " ".join(WORDS[start : start + length]) for start in range(8) for length in (1, 3, 5, 9, 12)
]
TEXTS.append(" ".join(WORDS * 6))
PROMPTS = {"query": "ask for: ", "document": "text of: "}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture(scope="module")
def embedder(folder: Path) -> Embedder:
    return Embedder.load(folder, "cpu")


@pytest.fixture(scope="module")
def reference(folder: Path) -> NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer

    return np.asarray(
        SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    )


def test_vectors_are_those_of_sentence_transformers(
    embedder: Embedder, reference: NDArray[np.float32]
) -> None:
    assert np.allclose(embedder.encode_passages(TEXTS), reference, atol=1e-5)


def test_texts_are_tokenised_some_at_a_time(
    embedder: Embedder, reference: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argot.encoding.embedder.TOKENIZED", 3)
    assert np.allclose(embedder.encode_passages(TEXTS), reference, atol=1e-5)
    assert embedder.token_counts(TEXTS).shape == (len(TEXTS),)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("role", ROLES)
def test_a_vector_is_a_function_of_its_text_alone(
    folder: Path, role: Role, bulk: bool, precision: Precision
) -> None:
    embedder = Embedder.load(folder, "cpu", precision=precision, bulk=bulk)
    encode = embedder.encode_queries if role == "query" else embedder.encode_passages
    together = encode(TEXTS)
    assert np.array_equal(encode(TEXTS[::-1])[::-1], together)
    assert np.array_equal(np.concatenate([encode([text]) for text in TEXTS]), together)
    for count in (1, 3):
        with torch_threads(count):
            assert np.array_equal(encode(TEXTS[:10]), together[:10])


def test_half_the_bits_give_nearly_the_same_vectors(folder: Path, embedder: Embedder) -> None:
    half = Embedder.load(folder, "cpu", precision="bfloat16")
    vectors = half.encode_passages(TEXTS)
    assert (vectors * embedder.encode_passages(TEXTS)).sum(axis=1).min() >= 0.999
    assert np.array_equal(np.concatenate([half.encode_passages([text]) for text in TEXTS]), vectors)
    with torch_threads(1):
        assert np.array_equal(half.encode_passages(TEXTS), vectors)
    assert half.identity != embedder.identity


def test_a_model_of_another_kind_keeps_its_own_forward_pass(
    folder: Path, embedder: Embedder
) -> None:
    from argot.encoding.fast import bert, light

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(light, "read", lambda folder, precision: None)
        patch.setattr(bert, "KINDS", ())
        other = Embedder.load(folder, "cpu")
    assert np.array_equal(other.encode_queries(TEXTS), embedder.encode_queries(TEXTS))
    assert np.array_equal(other.encode_passages(TEXTS), embedder.encode_passages(TEXTS))


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.encode_queries([]).shape == (0, embedder.dimension)


def test_an_empty_text_has_a_vector(embedder: Embedder) -> None:
    assert np.linalg.norm(embedder.encode_passages([""])) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
def test_prompts_and_pooling_are_the_models_own(tmp_path: Path, pooling: str) -> None:
    from sentence_transformers import SentenceTransformer

    make_tiny_model(tmp_path / "model", TEXTS, PROMPTS, pooling)
    embedder, peer = (
        Embedder.load(tmp_path / "model", "cpu"),
        SentenceTransformer(str(tmp_path / "model"), device="cpu"),
    )
    queries, passages = embedder.encode_queries(TEXTS), embedder.encode_passages(TEXTS)
    assert np.allclose(queries, peer.encode_query(TEXTS, normalize_embeddings=True), atol=1e-5)
    assert np.allclose(passages, peer.encode_document(TEXTS, normalize_embeddings=True), atol=1e-5)
    assert not np.allclose(queries, passages, atol=1e-2)


def test_a_passage_prompt_is_not_lost_under_another_name(tmp_path: Path) -> None:
    by_document = make_tiny_model(tmp_path / "document", TEXTS, PROMPTS)
    by_passage = make_tiny_model(
        tmp_path / "passage", TEXTS, {"query": "ask for: ", "passage": "text of: "}
    )
    vectors = [
        Embedder.load(folder, "cpu").encode_passages(TEXTS) for folder in (by_document, by_passage)
    ]
    assert np.array_equal(*vectors)


def test_a_prompt_can_be_left_out_of_the_pooling(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    folder = make_tiny_model(tmp_path / "model", TEXTS, PROMPTS)
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text().replace("{", '{"include_prompt": false,', 1))
    peer = SentenceTransformer(str(folder), device="cpu").encode_query(
        TEXTS, normalize_embeddings=True
    )
    assert np.allclose(Embedder.load(folder, "cpu").encode_queries(TEXTS), peer, atol=1e-5)


def test_vectors_are_cut_and_normalised_again(folder: Path, embedder: Embedder) -> None:
    short = Embedder.load(folder, "cpu", dimension=8).encode_passages(TEXTS)
    assert np.array_equal(short, shorten(embedder.encode_passages(TEXTS), 8))
    assert np.allclose(np.linalg.norm(short, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("dimension", [0, 33])
def test_vectors_cannot_be_cut_to_more_than_they_have(folder: Path, dimension: int) -> None:
    with pytest.raises(ModelError, match="32 dimensions"):
        Embedder.load(folder, "cpu", dimension)


def test_a_device_that_is_not_there_is_named(folder: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError, match=r"machine\.device"):
        Embedder.load(folder, "cuda")


def test_token_counts_see_past_the_window(embedder: Embedder) -> None:
    counts = embedder.token_counts(TEXTS)
    assert (
        counts[-1] == len(WORDS) * 6 + 2 > embedder.max_tokens
    )  # every word is one token; [CLS] and [SEP]
    assert (counts[:-1] <= embedder.max_tokens).all()


def test_the_fingerprint_changes_with_any_byte_and_any_name(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == fingerprint(folder)
    (tmp_path / "copy" / "config.json").write_text((folder / "config.json").read_text() + " ")
    changed = fingerprint(tmp_path / "copy")
    assert changed != fingerprint(folder)
    (tmp_path / "copy" / "config.json").rename(tmp_path / "copy" / "other.json")
    assert fingerprint(tmp_path / "copy") != changed


@pytest.mark.parametrize(
    "broken", ["modules.json", "model.safetensors", "config.json", "tokenizer.json"]
)
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_a_broken_folder_is_named(folder: Path, tmp_path: Path, broken: str, how: str) -> None:
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / broken
    path.write_bytes(path.read_bytes()[:50]) if how == "cut" else path.unlink()
    with pytest.raises(ModelError, match="model"):
        Embedder.load(tmp_path / "model", "cpu")


def test_code_in_the_models_folder_is_not_run(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / "evil.py").write_text("raise SystemExit('ran')\n")
    modules = (
        (folder / "modules.json")
        .read_text()
        .replace("sentence_transformers.models.Pooling", "evil.Pooling")
    )
    (tmp_path / "model" / "modules.json").write_text(modules)
    with pytest.raises(ModelError, match=r"evil\.Pooling"):
        Embedder.load(tmp_path / "model", "cpu")


def test_a_vector_that_is_not_finite_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folder, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"][0] = np.nan
    save_file(weights, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="finite"):
        Embedder.load(tmp_path / "model", "cpu").encode_passages(TEXTS[:1])
