"""A real git and a real DVC repository, with a pipeline of three stages."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dvc.repo import Repo

from argot.core.parquet import write_table
from argot.erasure.places import Place, find, gather
from argot.erasure.versions import Stores, Versions
from argot.feedback.journal import FeedbackRecord, Journal
from argot.llm.calls.store import Store
from argot.search.retriever import Retriever
from argot.search.rights import ALL
from argot.serving.adapters.export import export_passages
from argot.tables import chunks
from tests.argot.llm.calls.test_store import reply
from tests.argot.serving.cli.test_search import argot
from tests.support.workspaces import commit

PAY, SEALS = "people/pay.md", "seals.md"
# A line a document; the second stage's output can't be read for it.
TABLES = """
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
raw = sorted(path for path in Path("data/raw").rglob("*.md"))
names = [path.relative_to("data/raw").as_posix() for path in raw]
Path("data/figures").mkdir(exist_ok=True)
Path("data/figures/ingest.json").write_text(str([path.stat().st_size for path in raw]))
texts = [path.read_text() for path in raw]
pq.write_table(pa.table({"document": names, "text": texts, "group": names}),
               "data/documents.parquet")
"""
STAGES = """
stages:
  ingest:
    cmd: python tables.py
    deps: [data/raw]
    outs: [data/documents.parquet, data/figures/ingest.json]
  lexical:
    cmd: mkdir -p data/pairs && gzip -nc data/documents.parquet > data/pairs/train
    deps: [data/documents.parquet]
    outs: [data/pairs/train]
  train:
    cmd: mkdir -p models/tuned && md5sum data/pairs/train > models/tuned/weights
    deps: [data/pairs]
    outs: [models/tuned]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository after a run, with a copy of what DVC pushed; look at it, but change copies."""
    root = tmp_path_factory.mktemp("erasure") / "project"
    (root / "data/raw/people").mkdir(parents=True)
    (root / "data/raw" / PAY).write_text("Wages are paid on the last working day of the month.")
    (root / "data/raw" / SEALS).write_text("A shaft seal that weeps is replaced.")
    (root / "tables.py").write_text(TABLES)
    (root / "dvc.yaml").write_text(STAGES)
    # Without it DVC writes one into data/pairs, and a file more is another hash of that folder.
    (root / ".gitignore").write_text(
        "/data/documents.parquet\n/data/figures\n/data/pairs\n/models\n"
    )
    subprocess.run(["git", "init", "-q", root], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Repo.init(".").close()
        with (root / ".dvc/config").open("a") as config:
            config.write("[core]\n    remote = near\n['remote \"near\"']\n    url = ../../remote\n")
            config.write("['remote \"far\"']\n    url = s3://bucket/argot\n")
        with Repo(".") as repo:
            repo.add(["data/raw"])
            repo.reproduce()
            repo.push()
        commit(root)
    return root


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to change, with its remote, and the working directory."""
    shutil.copytree(built.parent, tmp_path / "all", symlinks=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path / "all/project")
    return tmp_path / "all/project"


def places(document: str = PAY, *more: Path) -> list[Place]:
    stores = Stores.of_repository()
    traces = gather(document, stores, more)
    return list(find(traces, Versions(stores, traces), more))


def erase(document: str = PAY, *more: Path) -> set[str]:
    """Erase, and return where a person must do the rest."""
    found = places(document, *more)
    for place in found:
        if place.erase:
            place.erase()
    return {place.where for place in found if not place.erase}


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path)]
    return {str(path): path.read_bytes() for path in paths if ".dvc/tmp" not in str(path)}


def holding(folder: Path, text: bytes = b"Wages are paid") -> set[str]:
    """The files that hold a text, in tables too."""
    found = set()
    for name, content in files(folder).items():
        table = content.startswith(b"PAR1")
        content = str(pq.read_table(name).to_pylist()).encode() if table else content
        found |= {name} if text in content else set()
    return found


def test_without_yes_nothing_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(project.parent)
    assert argot(monkeypatch, "erase", PAY) == 5
    assert files(project.parent) == before


def test_the_document_goes_and_what_was_made_from_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(holding(project.parent)) == 6  # file and table: here, in the cache, in the remote
    assert argot(monkeypatch, "erase", f"data/raw/{PAY}", "--yes") == 5
    assert holding(project.parent) == set()
    assert len(holding(project.parent, b"A shaft seal")) == 3  # the other document's file
    assert not Path("data/figures/ingest.json").exists()
    assert not Path("data/pairs/train").exists()
    assert Path("models/tuned/weights").exists()
    left = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left")]
    assert any("models/tuned  its model was trained on it" in line for line in left)
    assert any("s3://bucket/argot" in line for line in left)
    with Repo(".") as repo:
        assert repo.status(targets=["data/raw.dvc"]) == {}
    assert json.loads(Path("data/raw.dvc").read_text().split("nfiles:")[1].split()[0]) == 1


def test_a_new_run_stays_whole_and_the_old_one_goes(project: Path) -> None:
    Path("data/raw", PAY).unlink()
    with Repo(".") as repo:
        repo.add(["data/raw"])
        repo.reproduce()
    now = files(project / "data") | files(project / "models")
    assert len(holding(project.parent)) == 4  # the cache and the remote
    erase()
    assert holding(project.parent) == set()
    assert files(project / "data") | files(project / "models") == now
    with Repo(".") as repo:
        shutil.rmtree("models/tuned")
        Path("data/documents.parquet").unlink()
        repo.checkout(force=True)
        assert repo.status() == {}
    assert "models/tuned" not in erase()


def test_history_in_git_is_left_with_its_commits(project: Path) -> None:
    raw = Path("data/queries")
    raw.mkdir()
    line = {"query": "when is pay day?", "relevant": [{"document": PAY}]}
    (raw / "questions.jsonl").write_text(json.dumps(line) + "\n")
    commit(project)
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    left = [place for place in places() if not place.erase]
    found = {place.where: place.what for place in left}
    assert found["data/queries/questions.jsonl"] == f"git history, 1 commits: {head.stdout.strip()}"
    erase()
    assert (raw / "questions.jsonl").read_bytes() == b""


def test_pairs_that_a_team_brought_lose_entries_and_no_file(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = Path("data/own-pairs")
    own.mkdir()
    clicks, pairs, odd = own / "clicks.csv", own / "pairs.parquet", own / "notes.json"
    clicks.write_text("query,document,count\npay day,pay.md,3\nrefund,returns.md,2\n")
    rows = [{"query": name, "document": name} for name in ("pay.md", "returns.md")]
    pq.write_table(pa.Table.from_pylist(rows), pairs)
    odd.write_text('{"see": "pay.md"}')
    assert str(odd) in erase("pay.md")
    assert clicks.read_text() == "query,document,count\nrefund,returns.md,2\n"
    assert pq.read_table(pairs).to_pylist() == rows[1:]
    assert odd.exists()


def test_a_copy_under_another_name_is_named_and_keeps_its_object(project: Path) -> None:
    shutil.copy(Path("data/raw", PAY), "data/raw/copy.md")
    with Repo(".") as repo:
        repo.add(["data/raw"])
    assert "copy.md" in erase()
    with Repo(".") as repo:
        Path("data/raw/copy.md").unlink()
        repo.checkout(["data/raw.dvc"], force=True)
    assert Path("data/raw/copy.md").exists()
    assert "copy.md" not in erase("copy.md")
    assert holding(project.parent) == set()


def test_a_document_tracked_alone_loses_its_dvc_file(project: Path) -> None:
    with Repo(".") as repo:
        repo.remove("data/raw.dvc")
        repo.add([f"data/raw/{PAY}"])
    erase()
    assert not Path(f"data/raw/{PAY}.dvc").exists()
    assert holding(project.parent) == set()


def test_lines_replies_releases_and_exports_lose_it(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pay = next(row.id for row in chunks.Corpus().rows() if row.document == "pay.md")
    export_passages(Retriever.load("models/release"), tmp_path / "sent", "jsonl", ALL)
    shutil.copytree("models/release", tmp_path / "cache/argot/releases/0123")
    journal = Journal(Path("data/feedback"), 1 << 20)
    for document, chunk in (("pay.md", pay), ("returns.md", "f" * 16)):
        record = FeedbackRecord(kind="thumb", query="q", document=document, chunk=chunk)
        journal.append(record)
    journal.close()
    with Store() as store:
        store.add(reply("a", about=pay))
        store.add(reply("b", about="f" * 16))
    left = erase("pay.md", tmp_path / "sent")
    assert not (tmp_path / "sent").exists()
    assert not Path("models/release").exists()
    assert not (tmp_path / "cache/argot/releases/0123").exists()
    thumbs = next(Path("data/feedback").glob("*.jsonl")).read_text()
    assert "pay.md" not in thumbs
    assert "returns.md" in thumbs
    with Store() as store:
        assert [kept.about for kept in store] == ["f" * 16]
    # No DVC made these tables: whose output the index of words is, is not written down.
    assert left == {"data/lexical/words.json"}


def test_a_document_of_an_archive_is_left_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/old.zip").write_bytes(b"PK")
    assert erase("old.zip/pay.md") == {"data/raw/old.zip"}
    row = dict.fromkeys(chunks.SCHEMA.names, "") | {"page": None}
    row |= {"document": "old.zip/pay.md", "chunk": "a" * 16, "position": 0, "start": 0, "end": 0}
    write_table(chunks.PATH, [row], chunks.SCHEMA)
    assert erase("old.zip") == set()
    assert not chunks.PATH.exists()
