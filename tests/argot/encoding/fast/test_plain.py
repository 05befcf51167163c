from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_by_torch

from argot.encoding.embedder import ROLES, Embedder
from argot.encoding.fast.plain import PlainEmbedder
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import ModelError
from tests.argot.encoding.fast.test_light import PROMPTS, TEXTS, change
from tools.tiny.model import make_tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "model", TEXTS, PROMPTS)


def agree(folder: Path, dimension: int | None = None) -> bool:
    """Are the vectors and tokens those that torch gives, but for the last bits?"""
    ours = Embedder.load(folder, dimension=dimension, once=True)
    theirs = Embedder.load(folder, "cpu", dimension=dimension)
    assert isinstance(ours, PlainEmbedder)
    assert ours.dimension == theirs.dimension
    for role in ROLES:
        vectors, tokens = TokenEncoder(ours).encode(TEXTS, role)
        expected, expected_tokens = TokenEncoder(theirs).encode(TEXTS, role)
        assert vectors.dtype == np.float32
        assert np.allclose(vectors, expected, atol=1e-5)
        assert all(map(np.array_equal, tokens.ids, expected_tokens.ids))
        assert np.allclose(tokens.vectors(0), expected_tokens.vectors(0), atol=0.02)  # 8 bits
    return True


@pytest.mark.parametrize("dimension", [None, 8])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_torch(
    folder: Path, pooling: str, activation: str, dimension: int | None
) -> None:
    change(folder / "1_Pooling/config.json", pooling_mode=pooling)
    change(folder / "config.json", hidden_act=activation)
    assert agree(folder, dimension)


def test_a_model_that_does_not_normalise_is_read(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    assert agree(folder)


def test_neighbours_change_no_bit(folder: Path) -> None:
    embedder = Embedder.load(folder, once=True)
    together = embedder.encode_queries(TEXTS)
    alone = [embedder.encode_queries([text]) for text in TEXTS]
    assert np.array_equal(np.concatenate(alone), together)


def test_where_a_device_is_named_torch_computes(folder: Path) -> None:
    assert not isinstance(Embedder.load(folder, "cpu", once=True), PlainEmbedder)


def test_weights_that_numpy_does_not_know_are_left_to_torch(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    halves = {name: torch.from_numpy(weight).bfloat16() for name, weight in weights.items()}
    save_by_torch(halves, folder / "model.safetensors", metadata={"format": "pt"})
    embedder = Embedder.load(folder, once=True)
    assert not isinstance(embedder, PlainEmbedder)
    assert np.isfinite(embedder.encode_queries(TEXTS)).all()


@pytest.mark.filterwarnings("error")
def test_damaged_weights_are_told(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5:] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="its weights are damaged"):
        Embedder.load(folder, once=True).encode_queries(["pump"])


def test_a_damaged_folder_is_told(folder: Path) -> None:
    shutil.rmtree(folder / "1_Pooling")
    with pytest.raises(ModelError, match="can't be loaded"):
        Embedder.load(folder, once=True)


def test_torch_is_not_imported(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from argot.encoding.embedder import Embedder; "
        f"Embedder.load(Path({str(folder)!r}), once=True).encode_queries(['pump', 'a b']); "
        "print(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
