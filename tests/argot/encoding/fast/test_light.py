from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from argot.encoding.embedder import ROLES, Embedder
from argot.encoding.fast import light
from argot.encoding.fast.folder import SPECIAL
from argot.encoding.token_encoder import TokenEncoder
from tools.tiny.model import make_tiny_model

TEXTS = [
    "Return the damaged PUMP, naïve Zoë!",
    "",
    "keep [SEP] its [MASK] invoice 東京 [x]",
    "a b " * 60,
]
TEXTS += [" ".join(["pump"] * words) for words in (1, 3, 8, 15, 16, 17, 40)]
PROMPTS = {"query": "ask for: ", "document": "text of: "}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"), TEXTS, PROMPTS)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def change(path: Path, **changes: Any) -> None:
    """Change some keys of a JSON file."""
    found = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**found, **changes}))


def same(folder: Path, precision: Any = "float32") -> bool:
    """Are vectors and tokens those that the libraries' model gives, to the bit?"""
    ours = Embedder.load(folder, "cpu", precision=precision)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(light, "read", lambda folder, precision: None)
        theirs = Embedder.load(folder, "cpu", precision=precision)
    assert isinstance(ours._model, light.Light) and not isinstance(theirs._model, light.Light)
    assert (ours.max_tokens, ours.dimension) == (theirs.max_tokens, theirs.dimension)
    encoded = [
        TokenEncoder(embedder).encode(TEXTS, role) for role in ROLES for embedder in (ours, theirs)
    ]
    return all(
        np.array_equal(vectors, others)
        and np.array_equal(tokens.codes, their_tokens.codes)
        and all(map(np.array_equal, tokens.ids, their_tokens.ids))
        for (vectors, tokens), (others, their_tokens) in zip(
            encoded[::2], encoded[1::2], strict=True
        )
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_bits_are_those_of_the_libraries(copy: Path, pooling: str, precision: str) -> None:
    change(copy / "1_Pooling/config.json", pooling_mode=pooling)
    assert same(copy, precision)


def test_bits_are_those_of_the_libraries_without_onednn(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert same(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"strip_accents": False, "tokenize_chinese_chars": False},
        {"tokenizer_class": "BertTokenizerFast", "model_max_length": 12},
        {"unknown": 1, "bos_token": None},
    ],
)
def test_the_tokenizers_rules_are_those_of_its_configuration(
    copy: Path, changes: dict[str, Any]
) -> None:
    change(copy / "tokenizer_config.json", **changes)
    change(copy / "sentence_bert_config.json", max_seq_length=None)
    named = {key: {"content": token, "lstrip": False} for key, token in SPECIAL.items()}
    change(copy / "special_tokens_map.json", **named)
    assert same(copy)


def test_a_model_that_the_libraries_saved_is_read(copy: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(copy), device="cpu").save(
        str(tmp_path / "saved"), create_model_card=False
    )
    assert same(tmp_path / "saved")


def test_older_pooling_and_no_normalising_are_read(copy: Path) -> None:
    (copy / "1_Pooling/config.json").write_text(
        '{"word_embedding_dimension": 32, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}'
    )
    modules = json.loads((copy / "modules.json").read_text())
    (copy / "modules.json").write_text(json.dumps(modules[:2]))
    assert same(copy)


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def with_another_word(folder: Path) -> None:
    saved = json.loads((folder / "tokenizer.json").read_text())
    saved["added_tokens"].append(
        {**saved["added_tokens"][0], "content": "pump", "normalized": True}
    )
    (folder / "tokenizer.json").write_text(json.dumps(saved))


@pytest.mark.parametrize(
    "unknown",
    [
        lambda folder: change(folder / "config.json", hidden_act="silu"),
        lambda folder: change(folder / "config.json", model_type="roberta"),
        lambda folder: change(folder / "config.json", is_decoder=True),
        lambda folder: change(folder / "1_Pooling/config.json", pooling_mode="lasttoken"),
        lambda folder: change(folder / "1_Pooling/config.json", pooling_mode=["mean", "cls"]),
        lambda folder: change(folder / "1_Pooling/config.json", include_prompt=False),
        lambda folder: change(
            folder / "2_Normalize/config.json", module_input_name="token_embeddings"
        ),
        lambda folder: change(folder / "sentence_bert_config.json", query_length=8),
        lambda folder: change(folder / "sentence_bert_config.json", do_lower_case=True),
        lambda folder: change(
            folder / "tokenizer_config.json", tokenizer_class="XLMRobertaTokenizer"
        ),
        lambda folder: change(folder / "tokenizer_config.json", padding_side="left"),
        lambda folder: change(folder / "tokenizer_config.json", cls_token="[SEP]"),
        lambda folder: change(folder / "tokenizer_config.json", extra_special_tokens=["[x]"]),
        lambda folder: change(folder / "special_tokens_map.json", unk_token="a"),
        lambda folder: change(folder / "added_tokens.json", pump=9),
        lambda folder: change(folder / "adapter_config.json"),
        with_another_word,
        without_a_weight,
    ],
)
def test_what_may_differ_is_left_to_the_libraries(
    copy: Path, unknown: Callable[[Path], None]
) -> None:
    (copy / "2_Normalize").mkdir()
    assert light.read(copy, torch.float32)
    unknown(copy)
    assert light.read(copy, torch.float32) is None


def test_neither_sentence_transformers_nor_transformers_is_imported(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from argot.encoding.embedder import Embedder; "
        f"Embedder.load(Path({str(folder)!r}), 'cpu').encode_passages(['pump', 'a b']); "
        "heavy = {'sentence_transformers', 'transformers', 'torch._dynamo', 'scipy', 'pandas'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
