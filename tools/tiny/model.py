"""A tiny sentence-transformers model with random weights, and a tokenizer of given words.

Its word vectors are random and large and its layers small, so that texts that share words are near
each other. It is written without torch, in some milliseconds.
"""

from __future__ import annotations

import json
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import BertWordPieceTokenizer

WORDS = 3000
LAYERS = 2
HEADS = 2
Weight = tuple[str, NDArray[np.float32]]
MODULES = ("Transformer", "Pooling", "Normalize")


def make_tiny_model(
    folder: Path,
    texts: Sequence[str],
    prompts: dict[str, str] | None = None,
    pooling: str = "mean",
    dimension: int = 32,
    window: int = 64,
    seed: int = 13,
    layers: int = LAYERS,
    most_words: int = WORDS,
) -> Path:
    """Write the model into `folder` and return it; `pooling` is mean, cls or lasttoken."""
    folder.mkdir(parents=True, exist_ok=True)
    words = _write_tokenizer(folder, [*texts, *(prompts or {}).values()], window, most_words)
    config = _bert_config(words, dimension, window, layers)
    weights = dict(_weights(config, np.random.default_rng(seed)))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _write(folder / "config.json", config)
    _write(folder / "modules.json", [_module(place, name) for place, name in enumerate(MODULES)])
    _write(folder / "sentence_bert_config.json", {"max_seq_length": window, "do_lower_case": False})
    _write(
        folder / "1_Pooling" / "config.json",
        {"embedding_dimension": dimension, "pooling_mode": pooling},
    )
    _write(
        folder / "config_sentence_transformers.json",
        {"prompts": prompts or {}, "similarity_fn_name": "cosine"},
    )
    return folder


def _write_tokenizer(folder: Path, texts: Sequence[str], window: int, most_words: int) -> int:
    special = {
        f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")
    }
    pieces = dict.fromkeys([*special.values(), *_pieces(texts, most_words)])
    tokenizer = BertWordPieceTokenizer({piece: place for place, piece in enumerate(pieces)})
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "BertTokenizer", "model_max_length": window, **special}
    _write(folder / "tokenizer_config.json", config)
    return len(pieces)


def _pieces(texts: Sequence[str], most_words: int) -> list[str]:
    """The commonest words, then single characters for all others.

    The trainers of `tokenizers` can't be used, because they break ties at random.
    """
    split = BertWordPieceTokenizer()
    words = Counter(
        word
        for text in texts
        for word, _ in split.pre_tokenizer.pre_tokenize_str(split.normalizer.normalize_str(text))
    )
    characters = sorted(
        set(string.ascii_lowercase + string.digits + string.punctuation).union(*words)
    )
    commonest = sorted(words, key=lambda word: (-words[word], word))[:most_words]
    return [*characters, *(f"##{character}" for character in characters), *commonest]


def _bert_config(words: int, dimension: int, window: int, layers: int) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": words,
        "hidden_size": dimension,
        "intermediate_size": 2 * dimension,
        "num_hidden_layers": layers,
        "num_attention_heads": HEADS,
        "max_position_embeddings": window,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }


def _weights(config: dict[str, Any], random: np.random.Generator) -> Iterator[Weight]:
    d, inner = config["hidden_size"], config["intermediate_size"]
    yield "embeddings.word_embeddings.weight", _random(random, config["vocab_size"], d, 1.0)
    yield (
        "embeddings.position_embeddings.weight",
        _random(random, config["max_position_embeddings"], d, 0.05),
    )
    yield "embeddings.token_type_embeddings.weight", _random(random, 2, d, 0.05)
    yield from _norm("embeddings.LayerNorm", d)
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            yield from _dense(f"{at}.attention.{part}", random, d, d)
        yield from _norm(f"{at}.attention.output.LayerNorm", d)
        yield from _dense(f"{at}.intermediate.dense", random, inner, d)
        yield from _dense(f"{at}.output.dense", random, d, inner)
        yield from _norm(f"{at}.output.LayerNorm", d)
    yield from _dense("pooler.dense", random, d, d)


def _dense(name: str, random: np.random.Generator, rows: int, columns: int) -> Iterator[Weight]:
    yield f"{name}.weight", _random(random, rows, columns, 0.1)
    yield f"{name}.bias", np.zeros(rows, np.float32)


def _norm(name: str, dimension: int) -> Iterator[Weight]:
    yield f"{name}.weight", np.ones(dimension, np.float32)
    yield f"{name}.bias", np.zeros(dimension, np.float32)


def _random(
    random: np.random.Generator, rows: int, columns: int, scale: float
) -> NDArray[np.float32]:
    return (random.standard_normal((rows, columns)) * scale).astype(np.float32)


def _module(place: int, name: str) -> dict[str, Any]:
    path = f"{place}_{name}" if place else ""
    return {
        "idx": place,
        "name": str(place),
        "path": path,
        "type": f"sentence_transformers.models.{name}",
    }


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
