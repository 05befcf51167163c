"""The folder of a BERT model, read without sentence-transformers, transformers and torch.

What is not known to give the vectors that the libraries give is left to them: `read` gives None.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tokenizers import BertWordPieceTokenizer

Json = dict[str, Any]
Pooling = Literal["mean", "cls"]
Activation = Literal["gelu", "relu"]
POOLING: tuple[Pooling, ...] = ("mean", "cls")
ACTIVATIONS: tuple[Activation, ...] = ("gelu", "relu")
MODULES = ("Transformer", "Pooling", "Normalize")
BY_LIBRARY = "sentence_bert_config.json"
# What a file may say of that which changes a vector. A key that is missing means the same.
BERT = {
    "architectures": ["BertModel"], "model_type": "bert", "is_decoder": False,
    "position_embedding_type": "absolute", "chunk_size_feed_forward": 0,
    "output_hidden_states": False, "quantization_config": None,
}  # fmt: skip
TRANSFORMER = {
    "do_lower_case": False, "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": "token_embeddings",
}  # fmt: skip
NORMALIZE = dict.fromkeys(("module_input_name", "module_output_name"), "sentence_embedding")
SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
TOKENIZER: Json = {
    **SPECIAL, "truncation_side": "right", "padding_side": "right", "chat_template": None,
    "extra_special_tokens": [], "additional_special_tokens": [], "split_special_tokens": False,
    "add_bos_token": None, "add_eos_token": None,
}  # fmt: skip
WORDPIECE = {
    "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}  # fmt: skip
ADDED = {"special": True} | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)


class Tokenizer:
    """What `Embedder` asks of a tokenizer of transformers, for BERT's words."""

    padding_side = "right"

    def __init__(self, words: BertWordPieceTokenizer, window: int) -> None:
        self.window = window
        self._words = words._tokenizer
        self.all_special_ids = [words.token_to_id(token) for token in SPECIAL.values()]
        self.pad_token_id, self.unk_token_id, *_ = self.all_special_ids

    def __len__(self) -> int:
        return int(self._words.get_vocab_size())

    def __call__(self, texts: Sequence[str], truncation: bool = False, **_: Any) -> Json:
        """The ids of each text's tokens; with `truncation`, those that the model reads."""
        if truncation:
            self._words.enable_truncation(self.window)
        else:
            self._words.no_truncation()
        return {"input_ids": [one.ids for one in self._words.encode_batch_fast(list(texts))]}

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """The tokens that have these ids."""
        return [self._words.id_to_token(one) for one in ids]


@dataclass(frozen=True)
class Bert:
    """What a folder says of its model."""

    weights: Path
    tokenizer: Tokenizer
    width: int
    layers: int
    heads: int
    eps: float
    activation: Activation
    pooling: Pooling
    normalized: bool  # are its vectors of length 1?


class ReadBert:
    """What `Embedder` asks of a SentenceTransformer beside its forward pass."""

    def __init__(self, bert: Bert) -> None:
        self.bert = bert
        self.tokenizer, self.max_seq_length = bert.tokenizer, bert.tokenizer.window

    def get_embedding_dimension(self) -> int:
        """The number of dimensions of a vector."""
        return self.bert.width

    def preprocess(self, texts: Sequence[str], prompt: str = "", **_: Any) -> Json:
        """The input of texts of one length."""
        ids = self.tokenizer([prompt + text for text in texts], truncation=True)["input_ids"]
        return {"input_ids": np.array(ids)}


def read(folder: Path) -> Bert | None:
    """The model in `folder`; None where it may differ from what the libraries read.

    So it is for a folder that is damaged, of which the libraries say what is wrong.
    """
    with suppress(Exception):
        return _read(folder)
    return None


def _read(folder: Path) -> Bert:
    """As `read`; an error of any kind means None."""
    # 1. The modules: BERT, pooling and, mostly, a length of 1.
    modules = json.loads((folder / "modules.json").read_bytes())
    kinds = tuple(module["type"].rsplit(".", 1)[1] for module in modules)
    _check(kinds in (MODULES, MODULES[:2]))
    root, pooling, *normalize = (folder / module["path"] for module in modules)
    way = _pooling(pooling / "config.json")
    if normalize:
        _checked(normalize[0] / "config.json", NORMALIZE)
    # 2. The tokenizer.
    config, own = _checked(root / "config.json", BERT), _checked(root / BY_LIBRARY, TRANSFORMER)
    _check(own.keys() <= {*TRANSFORMER, "max_seq_length"} and config["hidden_act"] in ACTIVATIONS)
    tokenizer = _tokenizer(root, own.get("max_seq_length"), config["max_position_embeddings"])
    # 3. The weights, without those of an adapter.
    _check(not (root / "adapter_config.json").exists())
    return Bert(
        root / "model.safetensors",
        tokenizer,
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        eps=config.get("layer_norm_eps", 1e-12),
        activation=config["hidden_act"],
        pooling=way,
        normalized=bool(normalize),
    )


def _tokenizer(folder: Path, window: int | None, places: int) -> Tokenizer:
    """The tokenizer as transformers makes it: the words of one file by the rules of another."""
    rules = _checked(folder / "tokenizer_config.json", TOKENIZER)
    _check(rules["tokenizer_class"] in ("BertTokenizer", "BertTokenizerFast"))
    saved = json.loads((folder / "tokenizer.json").read_bytes())
    words = saved["model"]["vocab"]
    _check(saved["model"].items() >= WORDPIECE.items() and words.keys() >= {*SPECIAL.values()})
    for cuts in (saved["truncation"], saved["padding"]):
        _check(cuts is None or cuts.get("direction", "Right") == "Right")
    _check(not (folder / "added_tokens.json").exists())
    named = _json(folder / "special_tokens_map.json").values()
    known = rules.get("added_tokens_decoder", {}).values()
    for token in (*saved["added_tokens"], *known, *named):
        added = {"content": token} if isinstance(token, str) else token
        _check(added["content"] in SPECIAL.values() and {**ADDED, **added}.items() >= ADDED.items())
    tokenizer = BertWordPieceTokenizer(
        words,
        handle_chinese_chars=rules.get("tokenize_chinese_chars", True),
        strip_accents=rules.get("strip_accents"),
        lowercase=rules.get("do_lower_case", True),
    )
    return Tokenizer(tokenizer, window or min(rules["model_max_length"], places))


def _pooling(path: Path) -> Pooling:
    """How texts' vectors are made of their tokens'; older files have a key for each way."""
    found = _checked(path, {"include_prompt": True})
    flags = {key: value for key, value in found.items() if key.startswith("pooling_mode_")}
    ways = [key.split("_")[2] for key, value in flags.items() if value]
    _check(len(ways) == 1 or not flags)
    way = found.get("pooling_mode") or ways[0]
    return POOLING[POOLING.index(way)]


def _checked(path: Path, known: Json) -> Json:
    """What a JSON file holds, if it says nothing else of the `known` keys."""
    found = _json(path)
    _check(all(found.get(key, value) == value for key, value in known.items()))
    return found


def _json(path: Path) -> Json:
    """What a JSON file holds; nothing where there is none."""
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


def _check(known: bool) -> None:
    if not known:
        raise ValueError
