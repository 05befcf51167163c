from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.core.parquet import write_table
from argot.encoding.embedder import ROLES, Embedder, Role
from argot.encoding.store.tokens import (
    POOLED,
    SCHEMA,
    ZERO,
    Tokens,
    pack,
    pool,
    quantise,
    read_tokens,
    save_tokens,
    unit,
    unpack,
)
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import InputError
from tests.support.threads import torch_threads
from tools.tiny.model import make_tiny_model

SENTENCE = (
    "return the damaged pump within thirty days and keep its invoice for a refund of all costs"
)
WORDS = SENTENCE.split()
TEXTS = [" ".join(WORDS[start : start + length]) for start in range(6) for length in (1, 3, 8, 11)]
TEXTS += [" ".join(WORDS * 6), "return, the (damaged) pump!"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TokenEncoder:
    return TokenEncoder(Embedder.load(folder, "cpu"))


def assert_same(one: Tokens, other: Tokens) -> None:
    assert one.keys == other.keys
    assert [ids.tolist() for ids in one.ids] == [ids.tolist() for ids in other.ids]
    for name in ("codes", "scales", "offsets"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def random_units(count: int, dimension: int = 48) -> NDArray[np.float32]:
    values = np.random.default_rng(count).standard_normal((count, dimension))
    return unit(values.astype(np.float32))


@pytest.mark.parametrize("role", ROLES)
def test_tokens_are_a_function_of_their_text_alone(encoder: TokenEncoder, role: Role) -> None:
    together = encoder.encode(TEXTS, role)[1]
    backwards = encoder.encode(TEXTS[::-1], role)[1]
    assert_same(backwards.take(range(len(TEXTS))[::-1]), together)
    assert_same(Tokens.joined([encoder.encode([text], role)[1] for text in TEXTS]), together)
    for count in (1, 2):
        with torch_threads(count):
            assert_same(encoder.encode(TEXTS, role)[1], together)


@pytest.mark.parametrize("role", ROLES)
def test_one_pass_gives_the_single_vectors_too(encoder: TokenEncoder, role: Role) -> None:
    embedder = encoder.embedder
    alone = embedder.encode_queries if role == "query" else embedder.encode_passages
    assert np.array_equal(encoder.encode(TEXTS, role)[0], alone(TEXTS))


def test_a_questions_tokens_are_those_of_sentence_transformers(
    folder: Path, encoder: TokenEncoder
) -> None:
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    skipped = [*string.punctuation, "[CLS]", "[SEP]"]
    mask = MultiVectorMask(skipped, skiplist_tasks=["query", "document"])
    whole = Normalize("token_embeddings")
    peer = MultiVectorEncoder(modules=[Transformer(str(folder)), mask, whole], device="cpu")
    ours = encoder.encode(TEXTS, "query")[1]
    theirs = peer.encode_query(TEXTS, convert_to_numpy=True)
    for row, vectors in enumerate(theirs):
        assert np.allclose(ours.vectors(row), vectors, atol=0.01)


def test_special_tokens_and_punctuation_are_left_out(encoder: TokenEncoder) -> None:
    plain, dotted = encoder.encode(["return the pump", "(return, the pump!)"], "query")[1].ids
    assert len(plain) == 3
    assert plain.tolist() == dotted.tolist()


def test_a_text_of_punctuation_alone_keeps_it(encoder: TokenEncoder) -> None:
    tokens = encoder.encode(["?!", ""], "passage")[1]
    assert len(tokens.ids[0]) == 2
    assert (np.diff(tokens.offsets) > 0).all()


def test_the_prompts_tokens_are_left_out(tmp_path: Path) -> None:
    prompts = {"query": "ask for: ", "document": "text of: "}
    folder = make_tiny_model(tmp_path / "model", TEXTS, prompts)
    encoder = TokenEncoder(Embedder.load(folder, "cpu"))
    for role in ROLES:
        tokens = encoder.encode(["return the pump"], role)[1]
        names = encoder.embedder.tokenizer.convert_ids_to_tokens(tokens.ids[0].tolist())
        assert names == ["return", "the", "pump"]


def test_a_passage_is_pooled_and_a_question_is_not(encoder: TokenEncoder) -> None:
    text = " ".join(WORDS)
    passage, question = (encoder.encode([text], role)[1] for role in ("passage", "query"))
    assert len(question.codes) == len(question.ids[0]) == len(WORDS)
    assert passage.ids[0].tolist() == question.ids[0].tolist()
    assert 1 <= len(passage.codes) <= -(-len(WORDS) // POOLED)


def test_pooling_joins_what_is_alike() -> None:
    centres = random_units(3)
    clusters = np.repeat(centres, 3, axis=0) + 0.001 * random_units(9)
    pooled = pool(unit(clusters[[0, 3, 6, 1, 4, 7, 2, 5, 8]]))
    likeness = pooled @ centres.T
    assert pooled.shape == centres.shape
    assert sorted(likeness.argmax(axis=1).tolist()) == [0, 1, 2]
    assert likeness.max(axis=1).min() > 0.999
    assert np.allclose(np.linalg.norm(pooled, axis=1), 1, atol=1e-6)


def test_pooling_is_that_of_sentence_transformers() -> None:
    import torch
    from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

    vectors = random_units(30)
    peer = HierarchicalTokenPooling(POOLED, num_protected_tokens=0)
    theirs = peer.pool([torch.from_numpy(vectors)])[0].numpy()
    ours = pool(vectors)
    assert ours.shape == theirs.shape
    assert np.allclose((ours @ theirs.T).max(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_texts_have_a_vector(count: int) -> None:
    assert pool(random_units(count)).shape == (1, 48)


@pytest.mark.parametrize(("top", "cosine"), [(127, 0.9999), (7, 0.98)])
def test_codes_are_near_the_vector(top: int, cosine: float) -> None:
    vectors = random_units(200, 384)
    codes, scales = quantise(vectors, top)
    restored = codes * scales[:, None]
    step = np.abs(vectors).max(axis=1, keepdims=True) / top
    assert codes.dtype == np.int8
    assert (np.abs(codes * step - vectors) <= step / 2 + 1e-6).all()
    assert np.allclose(np.linalg.norm(restored, axis=1), 1, atol=1e-6)
    assert (restored * vectors).sum(axis=1).min() > cosine


def test_packed_codes_are_the_same_codes_in_half_the_bytes() -> None:
    vectors = random_units(200, 384)
    codes, scales = quantise(vectors, 7)
    packed, same = pack(vectors)
    assert packed.dtype == np.uint8
    assert packed.shape == (200, 192)
    assert np.array_equal(scales, same)
    assert np.array_equal(np.concatenate(unpack(packed), axis=1) - ZERO, codes)
    tokens = Tokens(["key"], [], packed, scales, np.array([0, 200]))
    assert np.allclose(tokens.vectors(0), codes * scales[:, None])


def test_a_vector_of_zeros_stays_one() -> None:
    codes, scales = quantise(np.zeros((1, 4), np.float32))
    assert (codes * scales[:, None]).tolist() == [[0.0] * 4]
    assert pack(np.zeros((1, 4), np.float32))[0].tolist() == [[0x88] * 2]


def test_a_store_is_read_as_it_was_written(encoder: TokenEncoder, tmp_path: Path) -> None:
    made = encoder.encode(TEXTS, "passage")[1]
    save_tokens(tmp_path / "one", made)
    save_tokens(tmp_path / "two", made)
    read = read_tokens(tmp_path / "one")
    assert_same(read, made)
    assert_same(read.of(TEXTS[::-1]), made.take(range(len(TEXTS))[::-1]))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["codes.npy", "keys.parquet", "offsets.npy", "scales.npy"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_text_that_was_never_encoded_is_named(encoder: TokenEncoder) -> None:
    with pytest.raises(InputError, match="valve"):
        encoder.encode(TEXTS, "passage")[1].of([TEXTS[0], "the valve"])


@pytest.mark.parametrize("name", ["codes.npy", "scales.npy", "offsets.npy", "keys.parquet"])
@pytest.mark.parametrize("how", ["missing", "cut", "other"])
def test_a_broken_store_is_named(
    encoder: TokenEncoder, tmp_path: Path, name: str, how: str
) -> None:
    save_tokens(tmp_path / "store", encoder.encode(TEXTS, "passage")[1])
    save_tokens(tmp_path / "other", encoder.encode(TEXTS[:5], "passage")[1])
    path = tmp_path / "store" / name
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    else:
        path.write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(InputError, match="store"):
        read_tokens(tmp_path / "store")


@pytest.mark.parametrize("wrong", [-1, 2**31 - 1, None, "fewer"])
def test_tokens_of_no_vocabulary_and_of_other_vectors_are_refused(
    encoder: TokenEncoder, tmp_path: Path, wrong: Any
) -> None:
    made = encoder.encode(TEXTS, "query")[1]
    ids: list[list[Any]] = [own.tolist() for own in made.ids]
    ids[2] = ids[2][:-1] if wrong == "fewer" else [wrong, *ids[2][1:]]
    save_tokens(tmp_path, made)
    rows = [{"key": key, "ids": own} for key, own in zip(made.keys, ids, strict=True)]
    write_table(tmp_path / "keys.parquet", rows, SCHEMA)
    with pytest.raises(InputError, match="no vocabulary|belong together"):
        read_tokens(tmp_path)
