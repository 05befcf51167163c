from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from argot.core.parquet import write_table
from argot.encoding import ray as ray_engine
from argot.encoding.embedder import Embedder, Role
from argot.encoding.store.encoded import has_tokens, tokens_of
from argot.encoding.store.vectors import read_vectors
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import ModelError
from argot.tables import chunks, pairs, questions
from stages import embed
from tests.argot.encoding.test_tokens import assert_same
from tools.tiny.model import make_tiny_model

CHUNKS = [
    ("Returns", "damaged pumps go back"),
    ("", "an invoice is kept"),
    ("Returns", "damaged pumps go back"),
]
QUERIES = {
    "train": ["how to return a pump"],
    "dev": ["keep the invoice"],
    "test": ["how to return a pump", "refund " * 80],
}


def row(table: object, **known: object) -> dict[str, object]:
    """A row of a table, with a default for what the test doesn't care about."""
    blank = {"string": "", "int32": 0, "int64": 0, "bool": False, "list<item: string>": []}
    return {
        field.name: known.get(field.name, blank.get(str(field.type), [])) for field in table.SCHEMA
    }  # type: ignore[attr-defined]


def configure(engine: str, tokens: str = "auto") -> None:
    machine = {"device": "cpu", "engine": engine, "ingest": {"workers": 2}}
    Path("params.yaml").write_text(
        json.dumps(
            {"embed": {"precision": "float32"}, "index": {"tokens": tokens}, "machine": machine}
        )
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    configure("local")
    make_tiny_model(
        Path("models/base"),
        [text for pair in CHUNKS for text in pair],
        {"query": "query: ", "document": ""},
    )
    rows = [
        row(chunks, chunk=str(n), heading=heading, text=text)
        for n, (heading, text) in enumerate(CHUNKS)
    ]
    write_table(chunks.PATH, rows, chunks.SCHEMA)
    for module in (pairs, questions):
        for split, path in module.PATHS.items():
            write_table(
                path, [row(module, query=query) for query in QUERIES.get(split, [])], module.SCHEMA
            )
    return tmp_path


def test_passages_are_found_by_heading_and_text(project: Path) -> None:
    assert "2 texts" in embed.main("base", "passages")
    stored = read_vectors(Path("data/embeddings/base/passages"))
    texts = ["Returns\ndamaged pumps go back", "an invoice is kept"]
    assert np.array_equal(
        stored.of(texts), Embedder.load(Path("models/base"), "cpu").encode_passages(texts)
    )


@pytest.mark.parametrize("kind", ["pairs", "questions"])
def test_queries_of_all_splits_are_embedded_once_as_queries(project: Path, kind: str) -> None:
    embed.main("base", kind)
    stored = read_vectors(Path("data/embeddings/base") / kind)
    texts = ["how to return a pump", "keep the invoice", "refund " * 80]
    assert len(stored.keys) == 3
    assert np.array_equal(
        stored.of(texts), Embedder.load(Path("models/base"), "cpu", bulk=True).encode_queries(texts)
    )


def test_texts_that_the_window_cuts_are_counted(project: Path) -> None:
    embed.main("base", "questions")
    figures = json.loads(Path("data/figures/embed-base-questions.json").read_text())
    assert (figures["texts"], figures["cut"], figures["dimension"]) == (3, 1, 32)


def test_what_was_cut_is_known_of_texts_that_are_not_read_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed.main("base", "questions")
    first, counted, count = outputs("questions"), list[str](), Embedder.token_counts

    def counting(self: Embedder, texts: list[str], role: Role) -> NDArray[np.int64]:
        counted.extend(texts)
        return count(self, texts, role)

    monkeypatch.setattr(Embedder, "token_counts", counting)
    embed.main("base", "questions")
    assert (outputs("questions"), counted) == (first, [])


def test_passages_and_measured_queries_have_tokens(project: Path) -> None:
    for kind in ("passages", "pairs"):
        embed.main("base", kind)
    encoder = TokenEncoder(Embedder.load(Path("models/base"), "cpu"))
    stored = tokens_of(Path("data/embeddings/base/passages"))
    passages = ["Returns\ndamaged pumps go back", "an invoice is kept"]
    assert_same(stored.of(passages), encoder.encode(passages, "passage")[1])
    asked = tokens_of(Path("data/embeddings/base/pairs"))
    queries = QUERIES["dev"] + QUERIES["test"]
    assert_same(asked.of(queries), encoder.encode(queries, "query")[1])
    assert len(asked) == 3


def test_tokens_are_made_when_they_are_first_asked_for(project: Path) -> None:
    configure("local", tokens="off")
    embed.main("base", "passages")
    assert not has_tokens(Path("data/embeddings/base/passages"))
    configure("local", tokens="on")
    embed.main("base", "passages")
    assert outputs() == from_scratch()
    assert len(tokens_of(Path("data/embeddings/base/passages"))) == 2


def test_no_questions_give_an_empty_store(project: Path) -> None:
    for path in questions.PATHS.values():
        write_table(path, [], questions.SCHEMA)
    embed.main("base", "questions")
    assert read_vectors(Path("data/embeddings/base/questions")).of([]).shape == (0, 32)


def outputs(kind: str = "passages") -> dict[str, bytes]:
    """Every file that the stage wrote for DVC, by its path."""
    files = [
        *(path for path in Path("data/embeddings/base", kind).rglob("*") if path.is_file()),
        Path(f"data/figures/embed-base-{kind}.json"),
    ]
    return {str(path): path.read_bytes() for path in files}


def reused() -> int:
    return int(json.loads(Path("logs/embed.jsonl").read_text().splitlines()[-1])["reused"])


def write_chunks(rows: list[tuple[str, str]]) -> None:
    table = [
        row(chunks, chunk=str(n), heading=heading, text=text)
        for n, (heading, text) in enumerate(rows)
    ]
    write_table(chunks.PATH, table, chunks.SCHEMA)


MORE = [("Returns", "an old pump"), *CHUNKS[1:], ("", "a new text")]


def from_scratch() -> dict[str, bytes]:
    shutil.rmtree("cache")
    embed.main("base", "passages")
    assert reused() == 0
    return outputs()


def test_the_same_inputs_give_the_same_bytes_whether_reused_or_not(project: Path) -> None:
    embed.main("base", "passages")
    first = outputs()
    embed.main("base", "passages")
    assert reused() == 2
    assert outputs() == first == from_scratch()


def test_only_new_texts_are_embedded_and_the_result_is_as_from_scratch(project: Path) -> None:
    embed.main("base", "passages")
    write_chunks(MORE)
    embed.main("base", "passages")
    assert reused() == 2
    assert outputs() == from_scratch()


def test_a_deleted_text_is_gone_from_the_cache(project: Path) -> None:
    embed.main("base", "passages")
    write_chunks(CHUNKS[:1])
    embed.main("base", "passages")
    (segment,) = Path("cache/vectors/base/passages").glob("*/*")
    assert read_vectors(segment).keys == read_vectors(Path("data/embeddings/base/passages")).keys
    assert len(read_vectors(segment).keys) == 1


def test_another_model_reuses_nothing(project: Path) -> None:
    embed.main("base", "passages")
    make_tiny_model(Path("models/base"), ["damaged"], seed=14)
    embed.main("base", "passages")
    assert reused() == 0
    assert outputs() == from_scratch()
    assert len(list(Path("cache/vectors/base/passages").iterdir())) == 1


def test_a_stage_that_stops_halfway_goes_on_where_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_chunks([("", f"text of {n} words " * n) for n in range(1, 41)])
    monkeypatch.setattr(embed, "SEGMENT", 4)
    whole = Embedder.forward_stream

    def stopping(self: Embedder, *given: Any) -> Iterator[Any]:
        yield next(whole(self, *given))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Embedder, "forward_stream", stopping)
        embed.main("base", "passages")
    embed.main("base", "passages")
    assert 4 <= reused() < 40
    assert outputs() == from_scratch()


@pytest.mark.parametrize("name", ["keys.parquet", "vectors.npy", "tokens/codes.npy"])
def test_a_damaged_cache_is_made_anew(project: Path, name: str) -> None:
    embed.main("base", "passages")
    first = outputs()
    (path,) = Path("cache/vectors/base/passages").glob(f"*/*/{name}")
    path.write_bytes(path.read_bytes()[:40])
    embed.main("base", "passages")
    assert reused() == 0
    assert outputs() == first
    embed.main("base", "passages")
    assert reused() == 2


def git(*arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        check=True,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["the same", "a fresh clone"])
def test_without_a_cache_the_last_output_is_taken_from_dvc(
    project: Path, tmp_path: Path, runner: str
) -> None:
    """By real dvc: a remote, a second clone that has nothing but git and the remote."""
    from dvc.repo import Repo

    stage = Path(embed.__file__)
    git("init", "-q")
    repo = Repo.init()
    with repo.config.edit() as config:
        config["core"] = {"remote": "store", "autostage": True}
        config["remote"] = {"store": {"url": str(tmp_path / "store")}}
    command = f"PYTHONPATH={stage.parents[1]} {sys.executable} -m stages.embed base passages"
    outs = ["data/embeddings/base/passages", "data/figures/embed-base-passages.json"]
    Path("dvc.yaml").write_text(
        json.dumps(
            {"stages": {"embed": {"cmd": command, "deps": ["data/chunks.parquet"], "outs": outs}}}
        )
    )
    Path(".gitignore").write_text("cache\nlogs\ndata\n.locks\n")
    repo.reproduce()
    repo.push()
    git("add", "-A")
    git("commit", "-qm", "first")
    if runner == "a fresh clone":
        git("clone", "-q", str(project), str(tmp_path / "clone"))
        shutil.copytree("models", tmp_path / "clone" / "models", dirs_exist_ok=True)
        os.chdir(tmp_path / "clone")
    shutil.rmtree("cache", ignore_errors=True)
    write_chunks(MORE)
    Repo().reproduce()
    assert reused() == 2
    for repository in {Path.cwd(), project}:  # without a commit there is no last output
        shutil.rmtree(repository / ".git")
    assert outputs() == from_scratch()


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_workers_of_a_ray_cluster_make_the_same_bytes(
    project: Path, cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "BLOCK", 50)
    write_chunks([("", f"text of {n} words " * (n % 30)) for n in range(400)])
    embed.main("base", "passages")
    local = outputs()
    shutil.rmtree("cache")
    shutil.rmtree("data/embeddings")
    configure("ray")
    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "forward_stream", None)  # here, not in the workers
        embed.main("base", "passages")
    assert reused() == 0
    assert outputs() == local


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_a_worker_with_another_model_is_refused_in_one_line(project: Path, cluster: None) -> None:
    embedder = Embedder.load(Path("models/base"), "cpu")
    assert embedder.identity
    make_tiny_model(Path("models/base"), ["damaged"], seed=14)  # as on a node that wasn't updated
    with pytest.raises(ModelError, match=r"^machine\.engine: [^\n]*a node has other code[^\n]*$"):
        list(ray_engine.encode_stream(embedder, "cpu", ["a text"], "passage", True))
