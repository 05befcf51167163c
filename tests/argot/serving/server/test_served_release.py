"""What the server does when its model fails, and when its release changes."""

from __future__ import annotations

import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from argot.core.files import write_json
from argot.encoding.embedder import Embedder, fingerprint
from argot.errors import ReleaseError
from argot.search.release import MANIFEST, sealed
from argot.search.retriever import Retriever
from argot.serving.server.app import create_app
from argot.serving.server.served_release import ServedRelease
from argot.serving.server.server_settings import RequestLimits, ServerSettings
from tests.support.releases import reseal
from tests.support.serving import opened
from tools.tiny.server import listening

ASKED = {"query": "error E-17"}


def until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def renamed(folder: Path) -> None:
    """Make the release another one, whole and right."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["figures"]["documents"] += 1
    write_json(folder / MANIFEST, sealed(manifest))


def test_bm25_answers_and_says_so_while_the_model_is_slow(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(replace(settings, limits=RequestLimits(patience=0.1, workers=1))) as client:
        true = Embedder.forward_stream

        def slow(self: Embedder, *given: Any) -> Any:
            time.sleep(0.6)
            return true(self, *given)

        monkeypatch.setattr(Embedder, "forward_stream", slow)
        reply = client.post("/search", json=ASKED).json()
        assert (reply["mode"], reply["notice"]) == (
            "bm25",
            "found by words alone: the model took more than 0.1 s",
        )
        assert reply["passages"][0]["document"] == "pumps/noise.md"
        started = time.monotonic()
        assert (
            client.post("/search", json=ASKED)
            .json()["notice"]
            .endswith("the model does not answer")
        )
        assert time.monotonic() - started < 0.1  # nobody waits behind a model that hangs
        monkeypatch.undo()
        until(lambda: client.post("/search", json=ASKED).json()["mode"] == "hybrid")
        assert "argot_searches_without_model_total" in client.get("/metrics").text


def test_bm25_answers_where_the_model_fails(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **named: object) -> None:
        raise MemoryError("no memory left")

    monkeypatch.setattr(Embedder, "load", fail)
    with opened(settings) as client:
        assert client.get("/readyz").json() == {
            "ready": True,
            "release": client.get("/about").json()["release"],
            "model": "failed",
            "problem": "no memory left",
        }
        for mode in (None, "hybrid", "dense", "tokens"):
            reply = client.post("/search", json={**ASKED, "mode": mode}).json()
            assert reply["mode"] == "bm25"
            assert reply["notice"] == "found by words alone: no memory left"
        assert client.post("/v1/embeddings", json={"input": "pump"}).status_code == 503


def test_a_broken_release_is_not_served(settings: ServerSettings, spoilt: Path) -> None:
    (spoilt / "chunks.parquet").write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"chunks\.parquet doesn't match"):
        create_app(replace(settings, release=spoilt))


def test_a_new_release_is_taken_up_without_dropping_a_request(
    settings: ServerSettings, folder: Path
) -> None:
    app = create_app(replace(settings, release=folder))
    shelf = app.state.server.watcher
    seen: set[tuple[int, str, str]] = set()
    end = threading.Event()

    def ask(address: str) -> None:
        with httpx.Client() as client:
            while not end.is_set():
                reply = client.post(f"{address}/search", json=ASKED, timeout=20)
                seen.add((reply.status_code, reply.json()["notice"], reply.json()["release"]))

    with listening(app) as address:
        first = shelf.current.id
        askers = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        until(lambda: seen)
        renamed(folder)
        until(lambda: shelf.taken_up == 1)
        second = shelf.current.id
        until(lambda: any(release == second for *_, release in seen))
        end.set()
        for asker in askers:
            asker.join()
    assert seen == {(200, "", first), (200, "", second)}


def test_a_broken_new_release_leaves_the_old_one_and_is_told(
    settings: ServerSettings, folder: Path
) -> None:
    with opened(replace(settings, release=folder)) as client:
        shelf = client.app.state.server.watcher  # type: ignore[attr-defined]
        first, words = shelf.current.id, (folder / "lexical/words.json").read_bytes()
        (folder / "lexical/words.json").write_bytes(words + b" ")
        until(lambda: shelf.refused)
        assert (
            client.get("/readyz")
            .json()["problem"]
            .startswith(f"{folder}/lexical/words.json doesn't match")
        )
        assert client.post("/search", json=ASKED).json()["release"] == first
        (folder / "lexical/words.json").write_bytes(words)
        until(lambda: not shelf.problem)
        shutil.rmtree(folder)  # as while `dvc` replaces it
        assert not shelf.look()
        assert client.post("/search", json=ASKED).json()["notice"] == ""


def test_a_release_whose_model_is_replaced_while_it_loads_never_searches_by_it(
    settings: ServerSettings, folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BM25 answers, and says why, until the new release is taken up."""
    true, weights = Embedder.load, folder / "embedder/model.safetensors"
    slow = replace(settings, release=folder, look_seconds=3600)

    def load(*given: Any, **named: Any) -> Embedder:
        shutil.copyfile(made / "models/base/model.safetensors", weights)
        return true(*given, **named)

    monkeypatch.setattr(Embedder, "load", load)
    with opened(slow) as client:
        watcher = client.app.state.server.watcher  # type: ignore[attr-defined]
        first = client.post("/search", json=ASKED).json()
        assert first["mode"] == "bm25"
        assert "model.safetensors was replaced after this release was opened" in first["notice"]
        assert not watcher.look()  # half of a release: its manifest is the old one's
        monkeypatch.undo()
        reseal(folder, fingerprint=fingerprint(folder / "embedder"))
        assert watcher.look()
        second = client.post("/search", json=ASKED).json()
        assert (second["mode"], second["notice"]) == ("hybrid", "")
        assert second["release"] != first["release"]


@pytest.mark.parametrize("part", ["chunks", "index", "manifest"])
def test_a_folder_that_is_replaced_while_it_is_opened_is_not_served(
    part: str, settings: ServerSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = ServedRelease._read_all

    def read_all(served: ServedRelease) -> None:
        """Read everything, when part of it is another release's."""
        if part == "index":
            path = folder / "index.faiss"
            path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
        elif part == "manifest":
            renamed(folder)
        true(served)

    def load(*given: Any, **named: Any) -> Retriever:
        opened = loaded(*given, **named)
        if part == "chunks":
            path = folder / "chunks.parquet"
            pq.write_table(pq.read_table(path), path, compression="none")
        return opened

    loaded = Retriever.load
    monkeypatch.setattr(Retriever, "load", load)
    monkeypatch.setattr(ServedRelease, "_read_all", read_all)
    with pytest.raises(ReleaseError, match=f"{part}.* was replaced after this release was opened"):
        create_app(replace(settings, release=folder))


def test_a_release_that_changes_while_it_is_taken_up_is_no_broken_one(
    settings: ServerSettings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(replace(settings, release=folder, look_seconds=3600)) as client:
        watcher = client.app.state.server.watcher  # type: ignore[attr-defined]
        true = ServedRelease._read_all

        def read_all(served: ServedRelease) -> None:
            monkeypatch.undo()
            renamed(folder)
            true(served)

        monkeypatch.setattr(ServedRelease, "_read_all", read_all)
        renamed(folder)
        assert not watcher.look()
        assert (watcher.refused, watcher.problem) == (0, "")
        assert watcher.look()


def test_closed_batcher_still_serves_who_came_before(client: TestClient) -> None:
    served = client.app.state.server.release  # type: ignore[attr-defined]
    served.close()
    for thread in served.batcher._threads:
        thread.join()
    assert served.find("error E-17", 1).passages[0].document == "pumps/noise.md"
